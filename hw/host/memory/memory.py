"""Memory of a machine with a command ring: tensors are put into it as commands read them."""

from collections.abc import Iterable
from math import prod

import numpy as np
from numpy.typing import ArrayLike

from golden.arguments import array, channel_order, flags, whole
from golden.floats import float_bits, widen
from golden.formats import FLOAT_FORMATS, FloatFormat
from golden.memory.descriptor import ALIGNMENT
from golden.memory.layouts import BIAS_BYTES, ORDER_BYTES
from golden.mx import MXTensor, mx_format, quantize
from hw.contract.config import Config

from .device import Device
from .handle import Handle, check_batch, dense_steps
from .matrix import Matrix
from .packed import Packed, PackedActivations, PackedWeights, batches_of, check_blocks, tile_bytes
from .side import Biases, Order, Tags, Word, count_bytes
from .store import Store

PACKED = ("mx6", "mx9", "mixed")
"""Formats of packed matrices."""


class Memory(Store):
    """Put tensors into memory and make room for results; every call returns a handle.

    What is freed must not be needed by commands that have not ended.

    Parameters
    ----------
    device : Device
    config : Config
        Of the machine, whose tiles decide how packed matrices lie.
    address, size : int
        The range, multiples of 64; nobody else writes there.
    """

    def __init__(self, device: Device, config: Config, address: int, size: int) -> None:
        super().__init__(device, address, size)
        self.config = config

    def place(self, x: ArrayLike, float_format: FloatFormat | str | None = None) -> Matrix:
        """Place a matrix of numbers, or batches of them, row by row.

        Parameters
        ----------
        x : array_like, shape (..., rows, columns)
            float32, float16, bfloat16 (an extension type, as of ``ml_dtypes``); or patterns.
        float_format : FloatFormat or str, optional
            Of patterns: uint32 or uint16.

        Raises
        ------
        TypeError, ValueError
            If it holds no such numbers, or is no matrix.
        MemoryError
            If there is no room.
        """
        bits, fmt = float_bits(x, float_format)
        matrix = self.empty(bits.shape, fmt.name)
        matrix.write(bits)
        return matrix

    def place_weights(self, b: ArrayLike | MXTensor, mx: str = "mx6") -> PackedWeights:
        """Place the B of GEMMs, packed.

        Parameters
        ----------
        b : array_like or MXTensor, shape (..., K, N)
            Floats, which are quantized here, all in one format; or a tensor blocked along K. Rows
            stand in the order of the GEMM's channels.
        mx : {"mx4", "mx6", "mx9"}
            Of floats.

        Raises
        ------
        TypeError, ValueError
            If it is no matrix of floats or MX blocks.
        MemoryError
            If there is no room.
        """
        return self._place_packed(b, mx, PackedWeights)

    def place_activations(self, a: ArrayLike | MXTensor, mx: str = "mx6") -> PackedActivations:
        """Place the A of GEMMs, packed: shape (..., M, K); all else as of `place_weights`."""
        return self._place_packed(a, mx, PackedActivations)

    def place_bias(self, bias: ArrayLike) -> Biases:
        """Place biases in FP32, shape (..., N), from float32, float16 or bfloat16."""
        wide = widen(bias)
        if not wide.ndim or 0 in wide.shape:
            raise ValueError(f"a bias must be a vector, not of shape {wide.shape}")
        check_batch(wide.shape[:-1])
        size = wide.shape[-1] * BIAS_BYTES
        return self._put(Biases, wide.astype("<f4").tobytes(), shape=wide.shape,
                         steps=dense_steps(wide.shape[:-1], size))

    def place_order(self, order: ArrayLike) -> Order:
        """Place a channel order, the channel for each place: a permutation, shape (K,).

        Raises
        ------
        TypeError, ValueError
            If it does not hold each channel once, or more than the machine has.
        """
        channels = channel_order(order, "an order")
        self._check_k(len(channels))
        return self._put(Order, channels.astype(f"<u{ORDER_BYTES}").tobytes(),
                         shape=channels.shape)

    def place_tags(self, tags: ArrayLike) -> Tags:
        """Place static tags, shape (K-blocks,), in the order of the GEMM's channels."""
        bits = flags(tags, "tags")
        if bits.ndim != 1 or not bits.size or bits.size > self.config.k_blocks_max:
            raise ValueError(f"tags must be 1 to {self.config.k_blocks_max} bools, one for each "
                             f"K-block, not of shape {bits.shape}")
        return self._put(Tags, np.packbits(bits, bitorder="little").tobytes(), shape=bits.shape)

    def place_word(self, value: int = 0) -> Word:
        """Place a count that commands can wait for."""
        return self._put(Word, count_bytes(value), shape=())

    def empty(self, shape: tuple[int, ...], format: str = "fp32") -> Matrix | PackedActivations:
        """Make room for results, shape (..., M, N).

        Parameters
        ----------
        shape : tuple of int
        format : {"fp32", "fp16", "bf16", "mx6", "mx9", "mixed"}
            Numbers, or packed tiles that a later GEMM reads as its A; mixed has room for blocks of
            both formats, which a machine with a vector unit writes.

        Raises
        ------
        TypeError, ValueError
            If the shape is no matrix, or the format none of these.
        MemoryError
            If there is no room.
        """
        shape, name = _matrix_shape(shape), str(format).lower()
        if name in PACKED:
            return self._empty_packed(PackedActivations, shape, name)
        if name not in FLOAT_FORMATS:
            raise ValueError(f"format must be one of {', '.join((*FLOAT_FORMATS, *PACKED))}, not "
                             f"{format!r}")
        stride = shape[-1] * FLOAT_FORMATS[name].width // 8
        block = self.allocate(prod(shape[:-1]) * stride)
        return Matrix(store=self, block=block, address=block.address, shape=shape,
                      steps=dense_steps(shape[:-2], shape[-2] * stride), float_format=name,
                      stride=stride)

    def empty_weights(self, shape: tuple[int, ...], format: str = "mixed") -> PackedWeights:
        """Make room for what a conversion makes, shape (..., K, N).

        Parameters
        ----------
        shape : tuple of int
        format : {"mixed", "mx9", "mx6"}
            There is room for blocks in MX9; or there is not, and who reads tiles of MX6 fetches
            less behind each.

        Raises
        ------
        TypeError, ValueError
            If the shape is no matrix, or the format none of these.
        MemoryError
            If there is no room.
        """
        if format not in PACKED:
            raise ValueError(f"format must be one of {', '.join(PACKED)}, not {format!r}")
        return self._empty_packed(PackedWeights, _matrix_shape(shape), format)

    def free(self, *handles: Handle) -> None:
        """Take back the memory of handles, and of all that are parts of the same.

        Raises
        ------
        TypeError, ValueError
            If one is no handle, was freed before, is of another memory, or the ring's; nothing is
            taken back then.
        """
        for handle in handles:
            if not isinstance(handle, Handle):
                raise TypeError(f"what is freed must be a handle, not {type(handle).__name__}")
            self.check_release(handle.block)
        for handle in handles:
            self.release(handle.block)

    def _check_k(self, k: int) -> None:
        if not 1 <= k <= self.config.k_max:
            raise ValueError(f"K = {k} must be 1 to the machine's limit of {self.config.k_max}, "
                             "its k_max")

    def _put(self, kind: type, data: bytes, **fields: object) -> Handle:
        block = self.allocate(len(data))
        self.write_bytes(block.address, data)
        return kind(store=self, block=block, address=block.address, **fields)

    def _place_packed(self, x: ArrayLike | MXTensor, mx: str, kind: type[Packed]) -> Packed:
        if not isinstance(x, MXTensor):
            found = array(x, "what is packed")
            _matrix_shape(found.shape)
            x = quantize(found, mx_format(mx), axis=kind.k_axis)
        shape = _matrix_shape(x.shape)
        check_blocks(x, shape, kind.k_axis)
        self._check_k(shape[kind.k_axis])
        name = x.format_name.lower()
        packets = [kind.pack(each, *self._tile_of(kind)) for each in batches_of(x)]
        longest = max(len(packet) for tiles in packets for packet in tiles)
        handle = self._make_packed(kind, shape, "mx6" if name == "mx4" else name, longest)
        handle.write_packets(packets)
        return handle

    def _empty_packed(self, kind: type[Packed], shape: tuple[int, ...], name: str) -> Packed:
        of_tile, beat_bytes = self._tile_of(kind)
        self._check_k(shape[kind.k_axis])
        lines = min(shape[-3 - kind.k_axis], of_tile)
        return self._make_packed(kind, shape, name, tile_bytes(
            lines, shape[kind.k_axis], beat_bytes, has_residuals=name != "mx6"))

    def _make_packed(self, kind: type[Packed], shape: tuple[int, ...], name: str,
                     longest: int) -> Packed:
        of_tile, beat_bytes = self._tile_of(kind)
        stride = -(-longest // ALIGNMENT) * ALIGNMENT
        size = stride * -(-shape[-3 - kind.k_axis] // of_tile)
        block = self.allocate(prod(shape[:-2]) * size)
        return kind(store=self, block=block, address=block.address, shape=shape,
                    steps=dense_steps(shape[:-2], size), mx_format=name, of_tile=of_tile,
                    beat_bytes=beat_bytes, stride=stride)

    def _tile_of(self, kind: type[Packed]) -> tuple[int, int]:
        """Return lines and bytes of a beat of the tiles of a kind."""
        if kind is PackedWeights:
            return self.config.cols, self.config.weight_bytes
        return self.config.rows, self.config.act_bytes


def _matrix_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape of matrices, checked."""
    if not isinstance(shape, Iterable):
        raise TypeError(f"a shape must be a tuple of sizes, not {shape!r}")
    shape = tuple(whole(size, "a size in shape", least=0) for size in shape)
    if len(shape) < 2 or 0 in shape[-2:]:
        raise ValueError(f"a matrix must have rows, columns and elements, not the shape {shape}")
    check_batch(shape[:-2])
    return shape
