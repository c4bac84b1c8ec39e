"""Tensors in memory: the bytes that golden packs, and what is read back."""

import ml_dtypes
import numpy as np
import pytest

import golden
from golden import MX4, MX6, MX9
from golden.packing import activation_tiles, weight_stream
from sim_tests.host.memory.benches import bits, connect, normal, same


@pytest.fixture
def memory():
    return connect()[0].memory


NUMBERS = {"fp32": normal(2, 3, 5), "fp16": normal(2, 3, 5, dtype=np.float16),
           "bf16": normal(2, 3, 5).astype(ml_dtypes.bfloat16)}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_read_back_as_they_were_placed(memory, name):
    x = NUMBERS[name]
    for placed in (memory.place(x), memory.place(bits(x.view(np.uint16) if name == "bf16" else x),
                                                 name)):
        expected = x.view(np.uint16) if name == "bf16" else x
        assert placed.float_format == name and same(placed.read(), expected)
        assert memory.read_bytes(placed.address, x.nbytes) == expected.tobytes()


def test_parts_lie_in_the_whole(memory):
    x = normal(2, 6, 12)
    whole = memory.place(x)
    assert same(whole.rows(1, 4).read(), x[:, 1:4])
    assert same(whole.columns(3, 7).read(), x[:, :, 3:7])
    assert same(whole[1].read(), x[1]) and same(whole[-2].rows(5, 6).read(), x[0, 5:])
    heads = whole.split_columns(3)
    assert same(heads.read(), np.ascontiguousarray(x.reshape(2, 6, 3, 4).transpose(0, 2, 1, 3)))
    assert same(heads[1][2].read(), np.ascontiguousarray(x[1, :, 8:]))
    assert same(whole.split_rows(3).read(), np.ascontiguousarray(x.reshape(2, 3, 2, 12)))
    halves = whole[1].split_rows(2).split_columns(3)
    assert same(halves[1][0].read(), np.ascontiguousarray(x[1, 3:, :4]))
    new = normal(2, 2, 12, seed=7)
    whole.rows(2, 4).write(new)
    x[:, 2:4] = new
    whole[0].columns(1, 2).write(new[0].T[:6, :1])
    x[0, :, 1:2] = new[0].T[:6, :1]
    assert same(whole.read(), x)


def test_a_matrix_in_another_byte_order_or_not_dense_is_the_same_numbers(memory):
    x = normal(6, 5)
    assert same(memory.place(x.astype(">f4")).read(), x)
    assert same(memory.place(x.T).read(), np.ascontiguousarray(x.T))


@pytest.mark.parametrize("fmt", [MX4, MX6, MX9])
@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
def test_packed_matrices_are_goldens_tiles_at_strides(memory, fmt, batch):
    b, a = normal(*batch, 35, 6), normal(*batch, 7, 35)
    for x, handle, axis, pack in (
            (b, memory.place_weights(b, fmt.name.lower()), -2, weight_stream),
            (a, memory.place_activations(a, fmt.name.lower()), -1, activation_tiles)):
        for place, index in zip(handle.places(), np.ndindex(*batch), strict=True):
            packets = pack(golden.quantize(x[index], fmt, axis=axis), 4, 32)
            assert handle.stride % 64 == 0 and handle.stride >= max(map(len, packets))
            for number, packet in enumerate(packets):
                assert memory.read_bytes(place + number * handle.stride, len(packet)) == packet
        assert same(handle.read(), golden.quantize(x, fmt, axis=axis))
        for at in range(batch[0] if batch else 0):
            assert same(handle[at].read(), golden.quantize(x[at], fmt, axis=axis))


def test_tensors_are_placed_as_they_are_and_written_anew(memory):
    x = normal(40, 9)
    mixed = golden.quantize_weight(x, [True, False, False], golden.Policy())
    handle = memory.place_weights(mixed)
    assert handle.mx_format == "mixed" and same(handle.read(), mixed)
    handle.write(golden.quantize(x, MX6, axis=0))
    assert same(handle.read(), golden.quantize(x, MX6, axis=0))
    with pytest.raises(ValueError, match="does not fit into the stride"):
        handle.write(golden.quantize(x, MX9, axis=0))
    with pytest.raises(ValueError, match=r"blocked along axis 0, not \(40, 9\) along 1"):
        handle.write(golden.quantize(x, MX6))
    with pytest.raises(TypeError, match="quantize it"):
        handle.write(x)


def test_what_stands_beside_matrices_is_read_back(memory):
    order, tags = np.random.default_rng(0).permutation(40), np.array([1, 0, 1], bool)
    assert np.array_equal(memory.place_order(order).read(), order)
    assert np.array_equal(memory.place_tags(tags).read(), tags)
    assert same(memory.place_bias(normal(2, 5, dtype=np.float16)).read(),
                normal(2, 5, dtype=np.float16).astype(np.float32))
    word = memory.place_word(3)
    assert word.read() == 3
    word.write((1 << 32) + 5)
    assert word.read() == 5


def test_memory_that_holds_no_packed_tile_is_named(memory):
    room = memory.empty((3, 20), "mx6")
    memory.write_bytes(room.address, b"\xff" * room.block.size)
    with pytest.raises(ValueError, match="no packed tile lies at 0x"):
        room.read()


WRONG = {
    "float64": (lambda m: m.place(np.zeros((3, 3))), TypeError, "astype"),
    "patterns of any format": (lambda m: m.place(np.zeros((3, 3), np.uint16)), TypeError,
                               "say which"),
    "a vector": (lambda m: m.place(normal(3)), ValueError, "must have rows, columns and elements"),
    "no rows": (lambda m: m.place(normal(0, 3)), ValueError, "must have rows, columns and element"),
    "an empty batch": (lambda m: m.empty((0, 3, 3)), ValueError, "no batch dimension may be empty"),
    "three batch dimensions": (lambda m: m.empty((2, 2, 2, 3, 3)), ValueError,
                               "may be 2 batch dimensions"),
    "no such format": (lambda m: m.empty((3, 3), "mx4"), ValueError, "format must be one of"),
    "weights of numbers": (lambda m: m.empty_weights((3, 3), "fp32"), ValueError,
                           "format must be one of mx6, mx9, mixed"),
    "no such MX format": (lambda m: m.place_weights(normal(3, 3), "fp8"), ValueError,
                          "no MX format"),
    "weights of integers": (lambda m: m.place_weights(np.eye(3, dtype=int)), TypeError, "int64"),
    "weights blocked along N": (lambda m: m.place_weights(golden.quantize(normal(3, 3), MX6)),
                                ValueError, "blocked along axis 0"),
    "a K over the limit": (lambda m: m.place_weights(normal(257, 2)), ValueError,
                           "limit of 256"),
    "packed results over the limit": (lambda m: m.empty((2, 257), "mx6"), ValueError,
                                      "limit of 256"),
    "no permutation": (lambda m: m.place_order([0, 0]), ValueError, "every channel number once"),
    "too long an order": (lambda m: m.place_order(range(257)), ValueError, "limit of 256"),
    "too many tags": (lambda m: m.place_tags([True] * 17), ValueError, "1 to 16 bools"),
    "a bias that is no vector": (lambda m: m.place_bias(np.float32(1)), ValueError, "a vector"),
    "rows that are not there": (lambda m: m.empty((3, 3)).rows(1, 4), ValueError, "rows 1 to 4"),
    "no columns": (lambda m: m.empty((3, 3)).columns(2, 2), ValueError, "columns 2 to 2"),
    "columns that do not divide": (lambda m: m.empty((3, 3)).split_columns(2), ValueError,
                                   "no 2 equal parts"),
    "rows that do not divide": (lambda m: m.empty((3, 4)).split_rows(2), ValueError,
                                "3 rows make no 2 equal parts"),
    "rows of a third batch dimension": (lambda m: m.empty((2, 2, 4, 4)).split_rows(2), ValueError,
                                        "two batch dimensions already"),
    "a third batch dimension": (lambda m: m.empty((2, 2, 3, 4)).split_columns(2), ValueError,
                                "two batch dimensions already"),
    "an index without batches": (lambda m: m.empty((3, 3))[0], TypeError, "take rows or"),
    "an index beyond": (lambda m: m.empty((2, 3, 3))[2], IndexError, "among 2 batches"),
    "another shape": (lambda m: m.empty((3, 3)).write(normal(3, 4)), ValueError, r"not \(3, 4\)"),
    "another format": (lambda m: m.empty((3, 3), "fp16").write(normal(3, 3)), TypeError,
                       "the matrix is fp16, but what is written is fp32"),
    "patterns of another width": (lambda m: m.empty((3, 3)).write(np.zeros((3, 3), np.uint16)),
                                  TypeError, "32 bits wide"),
    "a list": (lambda m: m.empty((3, 3)).write([[1.0] * 3] * 3), TypeError, "float64"),
    "more than there is": (lambda m: m.empty((1024, 1024)), MemoryError, "no room for 4194304"),
}


@pytest.mark.parametrize("call, error, words", WRONG.values(), ids=WRONG)
def test_what_cannot_be_placed_is_refused(memory, call, error, words):
    with pytest.raises(error, match=words):
        call(memory)
