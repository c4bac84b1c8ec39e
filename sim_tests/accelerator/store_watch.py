"""Watch what an engine writes into an `OperandStore`: check its tiles, hold them, release them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from cocotb.triggers import RisingEdge

from golden import MXTensor
from hw.contract.block_bits import BASE_BLOCK_BITS, RESIDUAL_BLOCK_BITS
from hw.contract.layouts import MXBlock
from hw.contract.operand_block import FLAGS
from sim_tests import drive
from sim_tests.stimuli.operands import anchors, block_fields, split_lanes

WRITES = ("lanes", "residual_lanes", "keeps_flags", "anchor_lanes")


@dataclass(frozen=True)
class Tile:
    """A tile that must be found in the memory.

    Attributes
    ----------
    tensor : MXTensor or None
        One line per lane in use; None when its content does not matter.
    blocks : int
        Per lane.
    """

    tensor: MXTensor | None
    blocks: int


class StoreWatch:
    """Stand in for the memory and for the array behind it.

    Parameters
    ----------
    dut : handle
        A top with the ports ``store__…``, ``ready``, ``released`` and ``released_blocks``.
    lanes, depth, slots : int
        As in `OperandStore`.
    tiles : iterable of Tile
        In order; tile i follows tile i-1 in the ring of addresses and in the ring of slots.
    """

    def __init__(self, dut: Any, *, lanes: int, depth: int, slots: int, tiles: Iterable[Tile]):
        self.dut, self.lanes, self.depth, self.slots = dut, lanes, depth, slots
        self.tiles = list(tiles)
        self.base = np.zeros((lanes, depth), object)
        self.residual = np.zeros((lanes, depth), object)
        self.flags, self.anchors = [0] * depth, np.zeros((slots, lanes), np.int64)
        self.ready, self.released = 0, 0
        self.ready_at: list[int] = []
        self._next_address = 0
        self._held: list[tuple[int, list[int]]] = []  # slot and addresses of each tile not released

    async def follow(self) -> None:
        """Apply every write; check a tile when it is reported ready, and hold it from then on."""
        edge = RisingEdge(drive.clock_of(self.dut))
        while True:
            await edge
            ready = int(self.dut.ready.value)
            if ready:  # its last write was a cycle ago
                assert self.ready < len(self.tiles), "one tile too many"
                self._finish(self.tiles[self.ready])
                self.ready += 1
                self.ready_at.append(drive.cycle())
            writes = {name: int(getattr(self.dut, f"store__{name}").value) for name in WRITES}
            if any(writes.values()):
                self._write(**writes)

    async def release(self, patience: int = 20_000, keep: float = 0.0) -> None:
        """Release every tile, each after it was kept for some cycles; a large ``keep`` is long."""
        rng, quiet = drive.rng("release"), 0
        while self.released < len(self.tiles):
            quiet += 1
            assert quiet < patience, f"hung with {self.ready} of {len(self.tiles)} tiles"
            if self._held and rng.random() >= keep:
                self._held.pop(0)
                self.dut.released.value = 1
                self.dut.released_blocks.value = self.tiles[self.released].blocks
                self.released, quiet = self.released + 1, 0
            await drive.ticks(self.dut, 1)
            self.dut.released.value = 0
        await drive.ticks(self.dut, 30)  # what is too many would come now

    def most_held(self) -> int:
        """Count the tiles that fit on chip from the start."""
        blocks = np.cumsum([tile.blocks for tile in self.tiles])
        return min(int(np.sum(blocks <= self.depth)), self.slots, len(self.tiles))

    def _write(self, lanes: int, residual_lanes: int, keeps_flags: int, anchor_lanes: int) -> None:
        store = {name: int(getattr(self.dut, f"store__{name}").value)
                 for name in ("address", "blocks", "flags", "anchors", "slot")}
        for slot, addresses in self._held:
            writes_word = lanes | residual_lanes | keeps_flags
            assert store["address"] not in addresses or not writes_word, (
                f"address {store['address']} was written while tile {self.released} needs it")
            assert store["slot"] != slot or not anchor_lanes, f"slot {slot} is still in use"
        blocks = split_lanes(store["blocks"], BASE_BLOCK_BITS + RESIDUAL_BLOCK_BITS, self.lanes)
        for lane, block in enumerate(blocks):
            if lanes >> lane & 1:
                self.base[lane, store["address"]] = block & (1 << BASE_BLOCK_BITS) - 1
            if residual_lanes >> lane & 1:
                self.residual[lane, store["address"]] = block >> BASE_BLOCK_BITS
            if anchor_lanes >> lane & 1:
                self.anchors[store["slot"], lane] = store["anchors"] >> 8 * lane & 255
        if keeps_flags:
            self.flags[store["address"]] = store["flags"]

    def _finish(self, tile: Tile) -> None:
        """Compare a tile with golden and hold its place."""
        addresses = [(self._next_address + block) % self.depth for block in range(tile.blocks)]
        self._next_address = (self._next_address + tile.blocks) % self.depth
        slot = self.ready % self.slots
        if tile.tensor is not None:
            self._compare(tile.tensor, addresses, slot)
        self._held.append((slot, addresses))

    def _compare(self, tensor: MXTensor, addresses: list[int], slot: int) -> None:
        what, lines = f"tile {self.ready}", range(len(tensor.exponent))
        is_mx9 = tensor.is_mx9[0]
        flags = drive.unpack(FLAGS, [self.flags[address] for address in addresses])
        has_residual = tensor.residual.any(axis=(0, 2))
        drive.compare(flags, {"is_mx9": is_mx9, "has_residual": has_residual}, f"{what} flags")
        words = [self.base[lane, address] | self.residual[lane, address] << BASE_BLOCK_BITS
                 for lane in lines for address in addresses]
        actual = drive.unpack(MXBlock, words)
        for name, expected in block_fields(tensor).items():
            values = actual[name].reshape(expected.shape)
            if name == "residual":  # nobody reads that of an MX6 block
                values = np.where(is_mx9[:, None], values, 0)
            drive.compare(values, expected, f"{what} {name}[lane, block]")
        drive.compare(self.anchors[slot, : len(lines)], anchors(tensor), f"{what} anchors")
