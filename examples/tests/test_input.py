"""What can be wrong with a user's input: each gets one sentence and exit code 2."""

import numpy as np
import pytest

from commands.tests.calling import call
from examples.matrices import load_matrices
from examples.tests.helpers import TINY, TINY_CONFIG


@pytest.fixture
def files(tmp_path):
    """Write arrays by name."""
    def write(**arrays):
        for name, array in arrays.items():
            np.save(tmp_path / f"{name}.npy", array)
        return tmp_path
    return write


def ones(*shape, dtype="f2"):
    return np.ones(shape, dtype)


BAD = {
    "three dimensions": (ones(2, 3, 4), ones(4, 2), "must be a matrix"),
    "one dimension": (ones(4), ones(4, 2), "must be a matrix"),
    "K mismatch": (ones(2, 5), ones(4, 2), "K = 5 columns, but the weights K = 4 rows"),
    "K over the limit": (ones(2, 65), ones(65, 2), "over the machine's limit of 64"),
    "objects": (np.full((2, 4), None), ones(4, 2), "can't be read: it holds Python objects"),
    "integers": (ones(2, 4, dtype="i4"), ones(4, 2), "holds int32; convert it first"),
    "float64": (ones(2, 4), ones(4, 2, dtype="f8"), "holds float64; convert it first"),
    "empty": (ones(0, 4), ones(4, 2), "is empty"),
}


def refused(*arguments) -> str:
    """Run a command that must be refused; return its sentence."""
    result = call("run", *arguments)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    assert len(result.stderr.strip().splitlines()) == 1
    return result.stderr


@pytest.mark.parametrize(("a", "b", "sentence"), BAD.values(), ids=BAD.keys())
def test_unusable_matrices_are_refused_in_a_sentence(files, a, b, sentence):
    folder = files(a=a, b=b)
    assert sentence in refused("gemm", "--activations", folder / "a.npy",
                               "--weights", folder / "b.npy", *TINY)


def test_unusable_files_are_refused_in_a_sentence(files):
    folder = files(a=ones(2, 4), b=ones(4, 2))
    (folder / "text.npy").write_text("no array at all")
    whole = (folder / "a.npy").read_bytes()
    (folder / "cut.npy").write_bytes(whole[:-3])
    for name, header in (("deep", "(" * 3000), ("long", " " * 60000)):
        header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4), }" + header + "\n"
        (folder / f"{name}.npy").write_bytes(
            b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header.encode() + bytes(32))
    for name, sentence in (("none.npy", "there is no file"), ("", "there is no file"),
                           ("text.npy", "is not a .npy file"), ("cut.npy", "can't be read"),
                           ("deep.npy", "can't be read"), ("long.npy", "can't be read")):
        assert sentence in refused("gemm", "--activations", folder / name,
                                   "--weights", folder / "b.npy", *TINY)


@pytest.mark.parametrize(("options", "sentence"), [
    (("--rows", "0"), "rows must be 1 to 128, not 0"),
    (("--acc-width", "12"), "acc_width=12 is too narrow"),
    (("--fraction", "1.5"), "fraction must be from 0 to 1, not 1.5"),
    (("--output", "no/such/folder/c.npy"), "there is no folder"),
])
def test_unusable_options_are_refused_in_a_sentence(files, options, sentence):
    folder = files(a=ones(2, 4), b=ones(4, 2))
    assert sentence in refused("gemm", "--activations", folder / "a.npy",
                               "--weights", folder / "b.npy", *TINY, *options)


def test_a_machine_too_small_for_the_layers_is_refused():
    assert "layer ff2 has K = 512, over the machine's limit of 64" in refused("demo", *TINY)


def test_bfloat16_files_are_read_as_patterns(files):
    patterns = np.array([[0x3F80, 0xC000], [0x7FC0, 0x0001]], np.uint16)
    folder = files(a=patterns.view("V2"), b=np.asfortranarray(ones(2, 3, dtype=">f4")))
    loaded = load_matrices(folder / "a.npy", folder / "b.npy", TINY_CONFIG)
    assert (loaded.float_format, loaded.weight_float_format) == ("bf16", "fp32")
    assert np.array_equal(loaded.activations, patterns)
    assert loaded.wide_activations().view(np.uint32)[0].tolist() == [0x3F800000, 0xC0000000]
