"""On-chip memory of one operand: blocks, their precision, and the anchors of their sums."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.contract.block_bits import (
    BASE_BLOCK_BITS,
    MX_BLOCK_BITS,
    RESIDUAL_BITS,
    RESIDUAL_BLOCK_BITS,
)
from hw.contract.layouts import MXBlock
from hw.contract.operand_block import FLAGS, operand_layout
from hw.parts.ring import address_bits
from hw.parts.sram import Sram


def write_signature(lanes, depth, slots):
    """Describe the write side of an `OperandStore`, seen from who writes.

    What all lanes share a port for is a plain vector, lane 0 lowest: see `hw.array.mac_array`.

    Members
    -------
    lanes : Out(lanes)
        Lanes that take their ``blocks`` at ``address``; all fields but the residual.
    residual_lanes : Out(lanes)
        Lanes that take the residual.
    address : Out(address)
    blocks : Out(lanes x MXBlock, flat)
    keeps_flags : Out(1)
        Keep ``flags`` for ``address``.
    flags : Out(FLAGS)
    anchor_lanes : Out(lanes)
        Lanes that take their ``anchors`` at ``slot``.
    anchors : Out(lanes x unsigned(8))
    slot : Out(slot)
    """
    return wiring.Signature({
        "lanes": Out(lanes), "residual_lanes": Out(lanes), "address": Out(address_bits(depth)),
        "blocks": Out(MX_BLOCK_BITS * lanes),
        "keeps_flags": Out(1), "flags": Out(FLAGS),
        "anchor_lanes": Out(lanes), "anchors": Out(data.ArrayLayout(8, lanes)),
        "slot": Out(address_bits(slots)),
    })


class OperandStore(wiring.Component):
    """Keep the blocks of one operand and serve one per lane and beat, aligned to its anchor.

    A lane is an array row (A) or an array column (B). Word `address` of every lane holds the same
    K-block. Reads take one cycle.

    Parameters
    ----------
    lanes : int
        Blocks served at once.
    depth : int
        Blocks per lane.
    slots : int
        Tiles whose anchors are kept.
    drop_width : int
        As in `hw.contract.config.Config`.

    Members
    -------
    write : In(write_signature)
    flags_address : In(address)
    flags_read : Out(FLAGS)
        Of the last cycle's ``flags_address``.
    read : In(1)
    read_address : In(address)
    read_slot : In(slot)
    read_residual : In(1)
        Serve L, three binades lower, instead of H.
    operands : Out(lanes x operand_layout(drop_width), flat)
        What the last ``read`` asked for.
    operand_anchors : Out(lanes x unsigned(8))
        Largest biased exponent of each lane's tile; 255 when it holds a NaN block.
    """

    def __init__(self, *, lanes, depth, slots, drop_width):
        self.lanes, self.depth, self.slots, self.drop_width = lanes, depth, slots, drop_width
        super().__init__({
            "write": In(write_signature(lanes, depth, slots)),
            "flags_address": In(address_bits(depth)), "flags_read": Out(FLAGS),
            "read": In(1), "read_address": In(address_bits(depth)),
            "read_slot": In(address_bits(slots)),
            "read_residual": In(1),
            "operands": Out(operand_layout(drop_width).size * lanes),
            "operand_anchors": Out(data.ArrayLayout(8, lanes)),
        })

    def elaborate(self, platform):
        m = Module()
        lanes, depth = self.lanes, self.depth
        m.submodules.base = base = Sram(width=BASE_BLOCK_BITS * lanes, depth=depth, granules=lanes)
        m.submodules.residual = residual = Sram(width=RESIDUAL_BLOCK_BITS * lanes, depth=depth,
                                                granules=lanes)
        m.submodules.flag = flag = Sram(width=FLAGS.size, depth=depth)
        m.submodules.anchor = anchor = Sram(width=8 * lanes, depth=self.slots, granules=lanes)
        m.d.comb += [
            base.write_en.eq(self.write.lanes), base.write_addr.eq(self.write.address),
            residual.write_en.eq(self.write.residual_lanes),
            residual.write_addr.eq(self.write.address),
            flag.write_en.eq(self.write.keeps_flags), flag.write_addr.eq(self.write.address),
            flag.write_data.eq(self.write.flags),
            anchor.write_en.eq(self.write.anchor_lanes), anchor.write_addr.eq(self.write.slot),
            anchor.write_data.eq(self.write.anchors),
            flag.read_en.eq(1), flag.read_addr.eq(self.flags_address),
            self.flags_read.eq(flag.read_data),
            base.read_en.eq(self.read), base.read_addr.eq(self.read_address),
            residual.read_en.eq(self.read & self.read_residual),
            residual.read_addr.eq(self.read_address),
            anchor.read_en.eq(self.read), anchor.read_addr.eq(self.read_slot),
            self.operand_anchors.eq(anchor.read_data),
        ]
        serve_residual = Signal(reset_less=True)
        with m.If(self.read):
            m.d.sync += serve_residual.eq(self.read_residual)
        for lane in range(lanes):
            word = self.write.blocks.word_select(lane, MX_BLOCK_BITS)
            m.d.comb += [
                base.write_data.word_select(lane, BASE_BLOCK_BITS).eq(word[:BASE_BLOCK_BITS]),
                residual.write_data.word_select(lane, RESIDUAL_BLOCK_BITS).eq(
                    word[BASE_BLOCK_BITS:]),
            ]
            stored = Signal(MXBlock, name=f"stored_{lane}")
            m.d.comb += [
                stored.as_value()[:BASE_BLOCK_BITS].eq(
                    base.read_data.word_select(lane, BASE_BLOCK_BITS)),
                stored.as_value()[BASE_BLOCK_BITS:].eq(
                    residual.read_data.word_select(lane, RESIDUAL_BLOCK_BITS)),
            ]
            operand = Signal(operand_layout(self.drop_width), name=f"operand_{lane}")
            self._serve(m, stored, self.operand_anchors[lane], serve_residual, operand)
            m.d.comb += self.operands.word_select(lane, len(operand.as_value())).eq(operand)
        return m

    def _serve(self, m, stored, anchor, serve_residual, operand):
        """Select H or L of one block and say how far below its anchor it lies."""
        below = Signal(9)
        m.d.comb += below.eq(
            (anchor - stored.exponent)[:8] + Mux(serve_residual, RESIDUAL_BITS, 0))
        largest = (1 << self.drop_width) - 1
        m.d.comb += [
            operand.sign.eq(stored.sign), operand.microexponent.eq(stored.microexponent),
            operand.drop.eq(Mux(below > largest, largest, below)),
        ]
        for element in range(len(stored.base)):
            m.d.comb += operand.magnitude[element].eq(
                Mux(serve_residual, stored.residual[element], stored.base[element]))
