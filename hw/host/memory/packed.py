"""Packed matrices in memory: MX tiles, a stride from one to the next."""

from dataclasses import dataclass, replace

import numpy as np

from golden.formats import BLOCK_SIZE
from golden.memory.faults import CommandError
from golden.memory.layouts import longest_packet, take_packet, tile_lines
from golden.mx import MXTensor
from golden.packing import activation_tiles, weight_stream
from golden.planes import BASE_BYTES, RESIDUAL_BYTES
from golden.unpacking import read_activation_tiles, read_weight_stream

from .handle import Batched
from .regions import Region

PLANES = ("exponent", "microexponent", "mantissa", "sign", "is_mx9")


@dataclass(frozen=True, eq=False, kw_only=True)
class Packed(Batched):
    """MX blocks in tiles.

    Attributes
    ----------
    mx_format : str
        "mx6" or "mx9" if all blocks are, else "mixed".
    of_tile : int
        Lines of a full tile: columns or rows of the array.
    beat_bytes : int
        Groups of blocks are filled up to whole beats of so many bytes.
    stride : int
        Bytes from a tile to the next.
    """

    mx_format: str
    of_tile: int
    beat_bytes: int
    stride: int

    @property
    def lines(self) -> int:
        """Columns of weights, rows of activations."""
        raise NotImplementedError

    @property
    def k(self) -> int:
        """Numbers in a line, which blocks run along."""
        raise NotImplementedError

    def region(self) -> Region:
        """Say which bytes may be read or written of it."""
        longest = longest_packet(min(self.lines, self.of_tile), self.k, self.beat_bytes)
        tiles = -(-self.lines // self.of_tile)
        return Region(self.address, min(longest, self.stride), (*self.walks, (tiles, self.stride)))

    def read(self) -> MXTensor:
        """Read it as a mixed tensor of the handle's shape.

        Raises
        ------
        ValueError
            If it was freed, or nothing was written there that is packed.
        """
        self.check_live("the packed matrix")
        tensors = [self._tensor(self._packets(place)) for place in self.places()]
        first, batch = tensors[0], self.batch
        planes = {name: np.stack([getattr(each, name) for each in tensors]) for name in PLANES}
        return MXTensor(
            format="mixed", shape=self.shape, axis=len(batch) + first.axis,
            **{name: plane.reshape(*batch, *plane.shape[1:]) for name, plane in planes.items()})

    def write(self, tensor: MXTensor) -> None:
        """Write another tensor into it.

        Parameters
        ----------
        tensor : MXTensor
            Of the handle's shape, blocked along K.

        Raises
        ------
        TypeError, ValueError
            If it was freed, the tensor is another, or a tile is longer than the stride.
        """
        self.check_live("the packed matrix")
        check_blocks(tensor, self.shape, self.k_axis)
        packets = [self.pack(each, self.of_tile, self.beat_bytes) for each in batches_of(tensor)]
        longest = max(len(packet) for tiles in packets for packet in tiles)
        if longest > self.stride:
            raise ValueError(f"a tile of {longest} bytes does not fit into the stride of "
                             f"{self.stride}: it has more MX9 blocks than there is room for")
        self.write_packets(packets)

    def write_packets(self, packets: list[list[bytes]]) -> None:
        """Write the packets of every batch, in order, which are no longer than the stride."""
        for place, tiles in zip(self.places(), packets, strict=True):
            for number, packet in enumerate(tiles):
                self.store.write_bytes(place + number * self.stride, packet)

    def _packets(self, place: int) -> list[bytes]:
        packets = []
        for number, lines in tile_lines(self.lines, self.of_tile):
            extent = min(longest_packet(lines, self.k, self.beat_bytes), self.stride)
            data = self.store.read_bytes(place + number * self.stride, extent)
            try:
                packets.append(take_packet(data, lines, self.k, self.beat_bytes))
            except CommandError as error:
                raise ValueError(f"no packed tile lies at {place + number * self.stride:#x}: "
                                 f"{error.detail}") from None
        return packets

    def _tensor(self, packets: list[bytes]) -> MXTensor:
        raise NotImplementedError

    @staticmethod
    def pack(tensor: MXTensor, of_tile: int, beat_bytes: int) -> list[bytes]:
        """Make the tiles of a matrix."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False, kw_only=True)
class PackedWeights(Packed):
    """Column tiles of B, shape (..., K, N): what a conversion makes, and a GEMM reads."""

    k_axis = -2

    @property
    def lines(self) -> int:
        return self.shape[-1]

    @property
    def k(self) -> int:
        return self.shape[-2]

    def _tensor(self, packets: list[bytes]) -> MXTensor:
        return read_weight_stream(packets, self.shape[-2:], self.of_tile, self.beat_bytes)

    @staticmethod
    def pack(tensor: MXTensor, of_tile: int, beat_bytes: int) -> list[bytes]:
        return weight_stream(tensor, of_tile, beat_bytes)


@dataclass(frozen=True, eq=False, kw_only=True)
class PackedActivations(Packed):
    """Token tiles of A, shape (..., M, K): packed results, and what a GEMM reads as they are."""

    k_axis = -1

    @property
    def lines(self) -> int:
        return self.shape[-2]

    @property
    def k(self) -> int:
        return self.shape[-1]

    def _tensor(self, packets: list[bytes]) -> MXTensor:
        return read_activation_tiles(packets, self.shape[-2:], self.of_tile, self.beat_bytes)

    @staticmethod
    def pack(tensor: MXTensor, of_tile: int, beat_bytes: int) -> list[bytes]:
        return activation_tiles(tensor, of_tile, beat_bytes)


def check_blocks(tensor: MXTensor, shape: tuple[int, ...], k_axis: int) -> None:
    """Refuse what is no tensor of a shape, or not blocked along its K.

    Raises
    ------
    TypeError, ValueError
    """
    if not isinstance(tensor, MXTensor):
        raise TypeError(f"what is packed must be an MXTensor, not {type(tensor).__name__}: "
                        "quantize it")
    if tensor.shape != shape or tensor.axis != len(shape) + k_axis:
        raise ValueError(f"what is packed must have the shape {shape}, blocked along axis "
                         f"{len(shape) + k_axis}, not {tensor.shape} along {tensor.axis}")


def batches_of(tensor: MXTensor) -> list[MXTensor]:
    """Cut a tensor of matrices into its matrices, in order.

    Parameters
    ----------
    tensor : MXTensor, shape (..., rows, columns)
        Blocked along one of its last two axes.
    """
    batch = tensor.shape[:-2]
    return [replace(tensor, shape=tensor.shape[-2:], axis=tensor.axis - len(batch),
                    **{name: getattr(tensor, name)[index] for name in PLANES})
            for index in np.ndindex(*batch)]


def tile_bytes(lines: int, k: int, beat_bytes: int, *, has_residuals: bool) -> int:
    """Return the bytes of a tile whose blocks are all MX9, or all MX6."""
    blocks = -(-k // BLOCK_SIZE)
    groups = (BASE_BYTES, RESIDUAL_BYTES) if has_residuals else (BASE_BYTES,)
    beats = -(-blocks // (8 * beat_bytes)) + blocks * sum(
        -(-lines * each // beat_bytes) for each in groups)
    return beats * beat_bytes
