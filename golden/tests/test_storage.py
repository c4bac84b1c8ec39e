"""Files: what is saved is loaded again, whatever its names; what makes no sense is refused."""

import json
import os
import random
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

import golden
from golden.formats import MX4, MX6, MX9
from golden.tests.fuzz_files import TEXTS, mutate, read, valid_files
from golden.tests.helpers import assert_same_bits, assert_same_codes

X = np.random.default_rng(0).standard_normal((3, 6, 40)).astype(np.float32)
GOOD = {"format": "MX6", "shape": [4, 32], "axis": 1, "granularity": "tensor", "tile_rows": None}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "t.safetensors"


def assert_same(actual, expected):
    assert actual.keys() == expected.keys()
    for name, tensor in expected.items():
        found = actual[name]
        assert (found.format, found.shape, found.axis) == (tensor.format, tensor.shape, tensor.axis)
        assert_same_codes(found, tensor)
        assert_same_bits(found.dequantize(), tensor.dequantize())


@pytest.mark.parametrize(
    "names",
    [
        ("a", "a.base", "a.base.base", "a.residual"),
        ("", ".", ".base"),
        ("__metadata__", "format", "quantization", "model", "\u00e4\u4e2d\U0001f600", "a b\n\0"),
        (),
    ],
)
def test_tensors_of_any_names_come_back(names, path):
    tensors = {
        name: golden.quantize(X, fmt, axis)
        for name, fmt, axis in zip(names, [MX4, MX6, MX9] * 2, [0, -1, 1] * 2, strict=False)
    }
    golden.save(path, tensors)
    assert_same(golden.load(path), tensors)
    assert list(golden.load(path)) == sorted(tensors)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("shape", [(0,), (0, 32), (3, 0), (2, 0, 32), (0, 6, 40), (2, 3, 0)])
@pytest.mark.parametrize("granularity", ["block", "channel_block", "head"])
def test_tensors_without_elements_come_back(shape, granularity, path):
    x = np.zeros(shape, np.float32)
    tensors = {str(axis): golden.quantize(x, MX9, axis) for axis in range(x.ndim)}
    tensors["mixed"] = golden.apply_policy(x, golden.Policy(0.5))
    golden.save(path, tensors, granularity)
    assert_same(golden.load(path), tensors)


def test_axes_and_sizes_of_other_integer_types_are_saved(path):
    tensor = golden.quantize(X, MX6, axis=np.int64(1))
    odd = golden.MXTensor(
        MX6, np.array(tensor.shape), np.int8(-2), *(getattr(tensor, name) for name in (
            "exponent", "microexponent", "mantissa", "sign", "is_mx9"))
    )  # fmt: skip
    golden.save(path, {"x": odd}, tile_rows=np.int32(4))
    assert_same(golden.load(path), {"x": tensor})


def test_a_file_of_the_first_version_is_read(path):
    """Written by hand, as version 0.1.0 did: one entry of metadata per tensor."""
    base, residual = np.zeros((8, 12), np.uint8), np.zeros((0, 6), np.uint8)
    base[:, 0], base[:, 4] = 127, 0x98
    planes = {"w.base": base, "w.residual": residual, "w.precision": np.zeros(1, np.uint8)}
    save_file(planes, path, {"w": json.dumps(GOOD)})
    values = golden.load(path)["w"].dequantize()
    assert values.shape == (4, 32) and values[:, [0, 1]].tolist() == [[1.0, 1.125]] * 4


@pytest.mark.parametrize(
    "others",
    [
        {"format": "pt"},
        {"config": json.dumps({"axis": 5, "a": [1]}), "w.base": "base"},
        {f"text {i}": text for i, text in enumerate(TEXTS[:-1])},
    ],
)
def test_what_other_tools_wrote_is_left_alone(others, path):
    tensor = golden.quantize(X, MX6)
    golden.save(path, {"w": tensor})
    planes = load_file(path) | {"other.base": np.ones(3), "x": np.ones(2)}
    with safe_open(path, "numpy") as file:
        metadata = file.metadata() | others
    save_file(planes, path, metadata)
    assert_same(golden.load(path), {"w": tensor})


def write(path, change, **planes):
    tensor = golden.quantize(np.ones((4, 32), np.float32), "MX6")
    golden.save(path, {"w": tensor})
    stored = load_file(path) | {f"w.{name}": plane for name, plane in planes.items()}
    stored = {name: plane for name, plane in stored.items() if plane is not None}
    save_file(stored, path, {"w": change if isinstance(change, str) else json.dumps(change)})


CHANGES = [
    {"axis": 5}, {"axis": -1}, {"axis": True}, {"axis": 1.0}, {"axis": None}, {"axis": 2**70},
    {"shape": []}, {"shape": [4]}, {"shape": [10**13, 32]}, {"shape": [-4, 32]}, {"shape": 4},
    {"shape": [4.0, 32]}, {"shape": [True, 32]}, {"shape": [0, 2**70]}, {"shape": [4, 33]},
    {"shape": [1] * 40}, {"shape": None}, {"shape": [4, "32"]}, {"format": "MX8"}, {"format": 6},
    {"format": None}, {"format": ["MX6"]}, {"format": "MX9"}, {"granularity": "row"},
    {"granularity": None}, {"granularity": ["block"]}, {"granularity": "head"},
    {"tile_rows": 3}, {"granularity": "channel_block", "tile_rows": 0},
    {"granularity": "channel_block", "tile_rows": 2.0}, {"more": 1},
    {"format": "mixed", "granularity": "channel_block", "tile_rows": 10**15, "shape": [10**15, 32]},
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_descriptions_that_contradict_the_planes_are_refused(change, path):
    write(path, GOOD | change)
    with pytest.raises(ValueError, match=r"t\.safetensors is not a file of MX tensors: 'w': \S"):
        golden.load(path)


@pytest.mark.parametrize(
    "planes",
    [
        {"base": np.zeros((8, 11), np.uint8)},
        {"base": np.zeros((9, 12), np.uint8)},
        {"base": np.zeros(96, np.uint8)},
        {"base": np.zeros((8, 12), np.int8)},
        {"base": np.zeros((8, 12), np.float32)},
        {"base": None},
        {"residual": np.zeros((1, 6), np.uint8)},
        {"residual": np.zeros((0, 6), np.uint16)},
        {"residual": None},
        {"precision": np.zeros(2, np.uint8)},
        {"precision": np.zeros(0, np.uint8)},
        {"precision": np.array([2], np.uint8)},
        {"precision": np.array([1], np.uint8)},
        {"precision": np.array(0, np.uint8)},
        {"precision": None},
    ],
    ids=str,
)
def test_planes_that_contradict_the_description_are_refused(planes, path):
    write(path, GOOD, **planes)
    with pytest.raises(ValueError, match=r"is not a file of MX tensors: 'w'"):
        golden.load(path)


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_texts_that_describe_nothing_are_refused(text, path):
    write(path, text)
    with pytest.raises(ValueError, match="is not a file of MX tensors"):
        golden.load(path)


def test_an_entry_that_stands_twice_is_refused(path):
    text = json.dumps(GOOD)
    for twice in (text[:-1] + ', "axis": 1}', '{"axis": 0, ' + text[1:]):
        write(path, twice)
        with pytest.raises(ValueError, match="stands there twice"):
            golden.load(path)


@pytest.mark.parametrize("shape", [[0, 2**70], [0, 2**62], [2**40, 2**40, 0], [0, 2**57]])
def test_sizes_beyond_any_array_are_refused_of_nothing_too(shape, path):
    nothing = np.zeros((0, 12), np.uint8)
    write(path, GOOD | {"shape": shape}, base=nothing)
    with pytest.raises(ValueError, match="no memory holds a tensor of shape"):
        golden.load(path)


def test_hostile_sizes_take_no_memory(path):
    """In a process that may take 300 MB more than it has."""
    write(path, GOOD | {"shape": [10**13, 32]})
    code = f"""if True:
        import resource, golden
        pages = int(open("/proc/self/statm").read().split()[0])
        most = pages * resource.getpagesize() + 300_000_000
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        try:
            golden.load({str(path)!r})
        except ValueError as error:
            print("refused")
    """
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "refused\n", result.stderr


@pytest.mark.parametrize(
    ("error", "message", "tensors"),
    [
        (TypeError, "by name", golden.quantize(X, MX6)),
        (TypeError, "by name", [golden.quantize(X, MX6)]),
        (TypeError, "must be text, not 5", {5: golden.quantize(X, MX6)}),
        (TypeError, "not a ndarray", {"x": X}),
        (ValueError, "UTF-8", {"\ud800": golden.quantize(X, MX6)}),
    ],
)
def test_what_cannot_be_saved_leaves_nothing_and_what_was_there(error, message, tensors, path):
    golden.save(path, {"w": golden.quantize(X, MX6)})
    before = path.read_bytes()
    with pytest.raises(error, match=message):
        golden.save(path, tensors)
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == before


def test_codes_that_the_format_does_not_have_are_not_saved(path):
    tensor = golden.quantize(X, MX6)
    tensor.mantissa[0, 0, 0, 0] = 16
    with pytest.raises(ValueError, match="mantissa holds codes that MX6 does not have"):
        golden.save(path, {"x": tensor})


def test_an_interrupted_save_leaves_what_was_there(path, monkeypatch):
    golden.save(path, {"w": golden.quantize(X, MX6)})
    before = path.read_bytes()

    def interrupted(planes, partial, metadata):
        partial.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("golden.storage.save_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        golden.save(path, {})
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == before


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_new_file_has_the_permissions_of_any_new_file(umask, path):
    before = os.umask(umask)
    try:
        golden.save(path, {"w": golden.quantize(X, MX6)})
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask


def test_a_file_that_is_replaced_keeps_its_permissions(path):
    golden.save(path, {})
    path.chmod(0o604)
    golden.save(path, {"w": golden.quantize(X, MX6)})
    assert path.stat().st_mode & 0o777 == 0o604


def test_a_link_stays_a_link(path):
    path.symlink_to(path.parent / "real")
    golden.save(path, {"w": golden.quantize(X, MX6)})
    assert path.is_symlink() and (path.parent / "real").is_file()


def test_directories_and_missing_files_get_a_sentence(path):
    for call in (golden.load, lambda place: golden.save(place, {})):
        with pytest.raises(IsADirectoryError, match="is a directory; give the name of a file"):
            call(path.parent)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        golden.load(path)
    with pytest.raises(FileNotFoundError, match="there is no directory"):
        golden.save(path / "deeper", {})


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 7, b"\xff" * 8, b"\x02" + b"\0" * 7 + b"{}", b"\0" * 99]
)
def test_broken_files_are_refused_or_empty(data, path):
    path.write_bytes(data)
    if data.endswith(b"{}"):
        assert golden.load(path) == {}
        return
    with pytest.raises(ValueError, match="is not a file of MX tensors"):
        golden.load(path)


@settings(deadline=None, max_examples=300, derandomize=True)
@given(st.integers(0, 2**32))
def test_broken_files_are_refused_or_read_whole(tmp_path_factory, seed):
    folder = tmp_path_factory.mktemp("fuzz")
    rng = random.Random(seed)
    read(mutate(rng.choice(valid_files(folder)), rng), folder / "broken")


def test_the_fuzzer_breaks_files_and_reads_some(tmp_path):
    """Its mutations reach both ends: most are refused, some are still files of MX tensors."""
    files = valid_files(tmp_path)
    taken = 0
    for seed in range(300):
        rng = random.Random(seed)
        taken += read(mutate(rng.choice(files), rng), tmp_path / "broken")
    assert 10 < taken < 150
    assert all(read(data, tmp_path / "good") for data in files)


@pytest.mark.parametrize("granularity", ["tensor", "block", "channel_block"])
@pytest.mark.parametrize("shape", [[1 << 55, 0], [0, 1 << 55], [1 << 50, 0, 16]])
def test_empty_tensors_of_any_size_are_read_at_once(shape, granularity, path):
    fmt = "MX6" if granularity == "tensor" else "mixed"
    record = GOOD | {"format": fmt, "shape": shape, "granularity": granularity}
    planes = {"base": (0, 12), "residual": (0, 6), "precision": (int(granularity == "tensor"),)}
    save_file(
        {f"w.{name}": np.zeros(size, np.uint8) for name, size in planes.items()},
        path,
        {"w": json.dumps(record)},
    )
    assert golden.load(path)["w"].dequantize().shape == tuple(shape)
