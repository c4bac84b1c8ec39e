"""Bytes: planes, the accelerator's weight stream, activation rows, safetensors files."""

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

import golden
from golden.formats import BF16, MX4, MX6, MX9, MX_FORMATS
from golden.packing import activation_rows, weight_stream
from golden.planes import pack, unpack
from golden.precision import mix
from golden.tests.helpers import assert_same_bits, assert_same_codes, random_blocks


def mixed(shape, axis, seed=0, tags=None):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape).astype(np.float32)
    ordinary, outlier = (golden.quantize(x, fmt, axis=axis) for fmt in (MX6, MX9))
    if tags is None:
        tags = rng.random(ordinary.exponent.shape) < 0.4
    return mix(ordinary, outlier, np.broadcast_to(tags, ordinary.exponent.shape))


def block_bytes(tensor, line, block):
    """Write one block's base and residual, field by field."""
    bits = sum(int(t) << j for j, t in enumerate(tensor.microexponent[line, block]))
    signs = sum(int(s) << i for i, s in enumerate(tensor.sign[line, block]))
    high = sum(int(h) << (4 * i) for i, h in enumerate(tensor.base[line, block]))
    low = sum(int(r) << (3 * i) for i, r in enumerate(tensor.residual[line, block]))
    base = bytes([tensor.exponent[line, block], bits]) + signs.to_bytes(2, "little")
    return base + high.to_bytes(8, "little"), low.to_bytes(6, "little")


def test_one_block_byte_by_byte():
    x = np.zeros(16, np.float32)
    x[0], x[1], x[3], x[15] = 1.0, -1.984375, 0.5, -0.0
    base, residual = pack(golden.quantize(x, MX9))
    # Mantissas 64, 127, 0, 64 (its pair has t = 1); H = 8, 15, 0, 8; L = 0, 7, 0, 0.
    assert base.tobytes().hex() == "7f" + "fe" + "0280" + "f880" + "00" * 6
    assert residual.tobytes().hex() == "380000000000"


@pytest.mark.parametrize("fmt", MX_FORMATS.values(), ids=list(MX_FORMATS))
def test_base_and_residual_make_the_mantissa(fmt):
    q = golden.quantize(random_blocks(np.random.default_rng(0), 4000), fmt)
    assert q.base.max() == {MX9: 15, MX6: 15, MX4: 12}[fmt]
    assert q.residual.max() == (7 if fmt is MX9 else 0)
    assert_same_bits(
        (q.base.astype(int) * 8 + q.residual), q.mantissa.astype(int) << (7 - fmt.mantissa_bits)
    )


def test_planes_hold_blocks_in_order():
    tensor = mixed((5, 70), -1)
    base, residual = pack(tensor)
    expected = [block_bytes(tensor, i, j) for i in range(5) for j in range(5)]
    assert base.tobytes() == b"".join(b for b, _ in expected)
    kept = [low for (_, low), wide in zip(expected, tensor.is_mx9.flat, strict=True) if wide]
    assert residual.tobytes() == b"".join(kept)


@pytest.mark.parametrize("fmt", [*MX_FORMATS.values(), "mixed"], ids=[*MX_FORMATS, "mixed"])
@pytest.mark.parametrize(("shape", "axis"), [((40,), 0), ((3, 20), 0), ((2, 3, 33), 2)])
def test_unpack_undoes_pack(fmt, shape, axis):
    if fmt == "mixed":
        tensor = mixed(shape, axis)
    else:
        x = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
        x.flat[7] = np.nan
        tensor = golden.quantize(x, fmt, axis=axis)
    base, residual = pack(tensor)
    back = unpack(base, residual, tensor.is_mx9, fmt, shape, axis)
    assert_same_codes(back, tensor)
    assert_same_bits(back.dequantize(), tensor.dequantize())


@pytest.mark.parametrize("beat_bytes", [1, 8, 16, 64])
@pytest.mark.parametrize("cols", [1, 4, 8])
def test_weight_stream_as_described(cols, beat_bytes):
    k, n = 16 * 21 + 3, 10
    tags = np.random.default_rng(2).random(22) < 0.4
    b = mixed((k, n), 0, tags=tags)
    packets = weight_stream(b, cols, beat_bytes)
    assert len(packets) == -(-n // cols)

    def pad(data):
        return data + bytes(-len(data) % beat_bytes)

    for tile, packet in enumerate(packets):
        columns = range(tile * cols, min(n, tile * cols + cols))
        expected = b""
        for block in range(22):
            if block % (8 * beat_bytes) == 0:
                window = tags[block : block + 8 * beat_bytes]
                number = sum(int(tag) << j for j, tag in enumerate(window))
                expected += number.to_bytes(beat_bytes, "little")
            expected += pad(b"".join(block_bytes(b, c, block)[0] for c in columns))
            if tags[block]:
                expected += pad(b"".join(block_bytes(b, c, block)[1] for c in columns))
        assert packet == expected


def test_weight_streams_of_uniform_formats():
    x = np.random.default_rng(3).standard_normal((32, 4)).astype(np.float32)
    lengths = [len(weight_stream(golden.quantize(x, f, 0), 4, 16)[0]) for f in (MX9, MX6, MX4)]
    assert lengths == [16 + 2 * (48 + 32), 16 + 2 * 48, 16 + 2 * 48]


def test_activation_rows_are_little_endian():
    x = np.array([[1, -2], [0.5, 65504]], np.float16)
    assert [row.hex() for row in activation_rows(x)] == ["003c00c0", "0038ff7b"]
    assert activation_rows(x.astype(">f2")) == activation_rows(x)
    bits = np.array([[0x3F80, 0xC000]], np.uint16)
    assert activation_rows(bits, BF16) == [bytes.fromhex("803f00c0")]
    assert activation_rows(np.array([[1.0]], np.float32)) == [bytes.fromhex("0000803f")]


def test_a_file_gives_back_every_tensor(tmp_path):
    tensors = {
        "mixed": mixed((2, 5, 70), 2),
        "weight": mixed((70, 6), 0),
        **{n: golden.quantize(np.ones((3, 20), np.float32), f) for n, f in MX_FORMATS.items()},
    }
    golden.save(tmp_path / "t.safetensors", tensors)
    loaded = golden.load(tmp_path / "t.safetensors")
    assert set(loaded) == set(tensors)
    for name, tensor in tensors.items():
        assert_same_codes(loaded[name], tensor)
        assert (loaded[name].shape, loaded[name].axis) == (tensor.shape, tensor.axis)
        assert loaded[name].format == tensor.format


@pytest.mark.parametrize(
    ("granularity", "shape", "policy"),
    [
        ("channel_block", (9, 100), golden.Policy(0.3, tile_rows=4, scope="tile")),
        ("channel_block", (2, 9, 100), golden.Policy(0.3)),
        ("head", (2, 3, 5, 40), golden.Policy(0.4, granularity="head")),
    ],
)
def test_a_file_has_one_precision_bit_per_tag_unit(tmp_path, granularity, shape, policy):
    x = np.random.default_rng(4).standard_normal(shape).astype(np.float32)
    tensor = golden.apply_policy(x, policy)
    path = tmp_path / "t.safetensors"
    golden.save(path, {"x": tensor}, granularity, policy.tile_rows)
    assert_same_codes(golden.load(path)["x"], tensor)
    units = {(9, 100): 3 * 7, (2, 9, 100): 2 * 7, (2, 3, 5, 40): 6}[shape]
    with safe_open(path, "numpy") as file:
        assert file.get_tensor("x.precision").size == -(-units // 8)
        described = json.loads(file.metadata()["x"])
    assert described["format"] == "mixed" and described["shape"] == list(shape)
    assert described["granularity"] == granularity and described["axis"] == len(shape) - 1


def test_files_that_make_no_sense_get_a_sentence(tmp_path):
    tensor, path = mixed((8, 64), 1), tmp_path / "t.safetensors"
    with pytest.raises(TypeError, match="give tensors by name"):
        golden.save(path, tensor)
    with pytest.raises(ValueError, match="differ in precision within a channel_block"):
        golden.save(path, {"x": tensor}, "channel_block")
    with pytest.raises(ValueError, match="granularity must be"):
        golden.save(path, {"x": tensor}, "row")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        golden.load(path)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="is not a file of MX tensors"):
        golden.load(path)
    save_file({"x": np.ones(3)}, path)
    with pytest.raises(ValueError, match="holds no MX tensors"):
        golden.load(path)
    save_file({"x.base": np.ones(3)}, path, {"x": "{}"})
    with pytest.raises(ValueError, match="is not a file of MX tensors"):
        golden.load(path)
    golden.save(path, {"x": tensor})
    with safe_open(path, "numpy") as file:
        planes, metadata = {n: file.get_tensor(n) for n in file.keys()}, file.metadata()
    planes["x.base"] = planes["x.base"][:-1]
    save_file(planes, path, metadata)
    with pytest.raises(ValueError, match=r"plane x\.base must be U8 of shape \[32, 12\]"):
        golden.load(path)


def test_bad_streams_get_a_sentence():
    with pytest.raises(ValueError, match="columns 0 to 3 disagree on the precision of K-block"):
        weight_stream(mixed((64, 8), 0), 4, 16)
    with pytest.raises(ValueError, match=r"matrix \(K, N\) blocked along axis 0"):
        weight_stream(mixed((64, 8), 1), 4, 16)
    with pytest.raises(ValueError, match="beat_bytes must be at least 1, not 0"):
        weight_stream(mixed((64, 8), 0), 4, 0)
    with pytest.raises(ValueError, match=r"must be a matrix \(M, K\)"):
        activation_rows(np.ones(3, np.float32))
    base, residual = pack(golden.quantize(np.ones(16, np.float32), MX6))
    with pytest.raises(ValueError, match="cannot have blocks of another precision"):
        unpack(base, np.zeros((1, 6), np.uint8), np.ones(1, bool), MX6, (16,))
    base[0, 4] |= 1
    with pytest.raises(ValueError, match="bits below the mantissas of MX4"):
        unpack(base, residual, np.zeros(1, bool), MX4, (16,))
