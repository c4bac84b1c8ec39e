"""From the activation stream to blocks in their final precision."""

from itertools import pairwise

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import FP16, FP32
from hw.blocks.block_aligner import BlockAligner, Compared, largest_in_fours
from hw.blocks.widen import Widen
from hw.contract.job import job_layout, report_signature
from hw.contract.job_codes import (
    FLOATING,
    FORMAT_CODES,
    PACKED,
    PASSES,
    AnyKind,
    JobKind,
    Selection,
)
from hw.contract.outlier_policy import Tag
from hw.contract.tag_read import tag_read_signature
from hw.contract.tile_block import raw_block_layout, tile_block_layout
from hw.streams.job_switch import JobSwitch, PacketSwitch
from hw.streams.packet_guard import beat_layout
from hw.streams.register_slice import pass_on, register_slice
from hw.streams.skid_buffer import SkidBuffer
from hw.streams.stream_buffer import StreamBuffer

from .calibration_tables import (
    CalibrationTables,
    order_write_signature,
    tag_write_signature,
)
from .channel_maxima import ChannelMaxima
from .outlier_detector import OutlierDetector
from .packed_unpacker import PackedUnpacker
from .pass_gate import PassGate
from .reorder import Reorder
from .row_unpacker import RowUnpacker
from .tile_stage import TileStage

ENGINES = {"input": FLOATING | PACKED | PASSES, "unpacker": FLOATING | PASSES,
           "stage": FLOATING | {AnyKind.VECTOR_PACKED}, "packed_unpacker": PACKED}
"""Who reads jobs in an `ActivationPath`, and which kinds."""


class ActivationPath(wiring.Component):
    """Prepare tiles while the array works on earlier ones.

    Rows of floating-point numbers are cut into blocks, put into order, and aligned as they arrive;
    the blocks wait as 9-bit magnitudes until the detector has seen their whole tile, and are then
    rounded, once, to the precision of their tag; those of untagged jobs are rounded as they come.
    Packed activations only change their order.

    Parameters
    ----------
    config : Config
    surplus : bool
        As in `ChunkReader`.

    Members
    -------
    jobs : In of a stream of job_layout for each of `ENGINES`
        For the input, the `RowUnpacker`, the `TileStage` and the `PackedUnpacker`.
    i : In(stream of beat_layout)
    floating, packed : Out(stream of tile_block_layout)
        Tiles of jobs of the kinds in `FLOATING`, in `PACKED`.
    tags : Out(stream of Tag)
        Of converted tiles, ahead of their blocks.
    order_write, tag_write : In
        As in `CalibrationTables`.
    channel : In(16), maximum : Out(32), forget_maxima : In(1)
        As in `ChannelMaxima`.
    faults : Out(2), job_faults : Out(report_signature(2))
        As in `RowUnpacker`.
    to_vector : Out(stream of raw_block_layout), from_vector : In(stream of raw_block_layout)
        With a vector unit: widened blocks of passes, and what comes back of those that pack.
    row_left : In(1)
        As in `PassGate`.
    result_tag : In(tag_read_signature)
        With a vector unit, as in `CalibrationTables`.
    pass_tags : Out(stream of Tag)
        Of tiles that came back, ahead of their blocks.
    """

    def __init__(self, config, *, surplus=False):
        self.config, self.surplus = config, surplus
        blocks = stream.Signature(raw_block_layout(config))
        of_vector = {"to_vector": Out(blocks), "from_vector": In(blocks), "row_left": In(1),
                     "pass_tags": Out(stream.Signature(Tag)),
                     "result_tag": In(tag_read_signature(config))}
        super().__init__({
            "jobs": In(wiring.Signature({
                name: Out(stream.Signature(job_layout(config))) for name in ENGINES})),
            "i": In(stream.Signature(beat_layout(config.act_bytes))),
            "floating": Out(stream.Signature(tile_block_layout(config))),
            "packed": Out(stream.Signature(tile_block_layout(config))),
            "tags": Out(stream.Signature(Tag)),
            "order_write": In(order_write_signature(config)),
            "tag_write": In(tag_write_signature(config)),
            "channel": In(16), "maximum": Out(32), "forget_maxima": In(1),
            "faults": Out(2), "job_faults": Out(report_signature(2)),
            **(of_vector if config.vector_lanes else {}),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.unpacker = unpacker = RowUnpacker(config)
        m.submodules.packed_unpacker = packed_unpacker = PackedUnpacker(
            config, surplus=self.surplus)
        m.submodules.tables = tables = CalibrationTables(config)
        m.submodules.maxima = maxima = ChannelMaxima(config)
        m.submodules.reorder = reorder = Reorder(config)
        m.submodules.stage = stage = TileStage(config)

        jobs = wiring.flipped(self.jobs)
        wiring.connect(m, jobs.unpacker, unpacker.jobs)
        wiring.connect(m, jobs.stage, stage.jobs)
        wiring.connect(m, jobs.packed_unpacker, packed_unpacker.jobs)
        self._route(m, jobs.input, unpacker, packed_unpacker)
        # A register, so that no stall of those who take the blocks reaches the stream's logic.
        m.submodules.packed_buffer = packed_buffer = StreamBuffer(tile_block_layout(config))
        wiring.connect(m, packed_unpacker.o, packed_buffer.i)
        wiring.connect(m, packed_buffer.o, wiring.flipped(self.packed))

        wiring.connect(m, wiring.flipped(self.order_write), tables.order_write)
        wiring.connect(m, wiring.flipped(self.tag_write), tables.tag_write)
        wiring.connect(m, reorder.order, tables.order)
        wiring.connect(m, stage.static_tags, tables.tag)
        # No stall of the banks reaches the stream's logic either.
        m.submodules.raw_buffer = raw_buffer = SkidBuffer(raw_block_layout(config))
        wiring.connect(m, unpacker.o, raw_buffer.i)
        wiring.connect(m, raw_buffer.o, reorder.i)
        m.d.comb += [
            reorder.order_changes.eq(self.order_write.valid << self.order_write.table),
            maxima.taken.eq(unpacker.o.valid & unpacker.o.ready), maxima.block.eq(unpacker.o.p),
            maxima.job_first.eq(unpacker.job_first),
            maxima.channel.eq(self.channel), self.maximum.eq(maxima.maximum),
            maxima.forget.eq(self.forget_maxima),
        ]
        self._convert(m, reorder, stage)
        wiring.connect(m, stage.o, wiring.flipped(self.floating))
        wiring.connect(m, stage.tags_o, wiring.flipped(self.tags))
        if config.vector_lanes:
            wiring.connect(m, stage.pass_tags, wiring.flipped(self.pass_tags))
            wiring.connect(m, wiring.flipped(self.result_tag), tables.result_tag)
        return m

    def _route(self, m, jobs, unpacker, packed_unpacker):
        """Give the stream to the loader of the job that it belongs to."""
        m.submodules.switch = switch = JobSwitch(self.config)
        m.submodules.packet_switch = packet_switch = PacketSwitch()
        wiring.connect(m, jobs, switch.jobs)
        is_packed = Signal()
        m.d.comb += [
            is_packed.eq(switch.kind == JobKind.GEMM_PACKED),
            unpacker.i.p.eq(self.i.p), packed_unpacker.i.p.eq(self.i.p),
            unpacker.i.valid.eq(self.i.valid & switch.busy & ~is_packed),
            packed_unpacker.i.valid.eq(self.i.valid & switch.busy & is_packed),
            self.i.ready.eq(switch.busy & Mux(is_packed, packed_unpacker.i.ready,
                                              unpacker.i.ready)),
            self.faults.eq(unpacker.faults | packed_unpacker.faults),
            # Only one of them has a job of the stream at a time.
            self.job_faults.valid.eq(unpacker.job_faults.valid | packed_unpacker.job_faults.valid),
            self.job_faults.payload.eq(Mux(packed_unpacker.job_faults.valid,
                                           packed_unpacker.job_faults.payload,
                                           unpacker.job_faults.payload)),
            packet_switch.transfer.eq(self.i.valid & self.i.ready),
            packet_switch.last.eq(self.i.p.last),
            packet_switch.loaded.eq(self.job_faults.valid),
            switch.ended.eq(packet_switch.ended),
        ]

    def _convert(self, m, reorder, stage):
        """Align blocks; each enters the stage, and with it the detector if its tile needs tags."""
        config = self.config
        m.submodules.widen = widen = Widen(float_formats=config.float_formats)
        m.submodules.aligner = aligner = BlockAligner()
        m.submodules.detector = detector = OutlierDetector(k_blocks_max=config.k_blocks_max)
        # Cycle 0: put into order. Cycle 1: widen. Then the aligner's cycles.
        raw = reorder.o.signature.create(path=("raw",))
        blocks = self._merge(m, reorder.o) if config.vector_lanes else reorder.o
        register_slice(m, blocks, raw, blocks.p)
        widened = Signal(data.StructLayout({
            "block": raw_block_layout(config),
            "largest_at": Compared.as_shape()["largest_at"].shape}))
        wide = stream.Signature(widened.shape()).create(path=("wide",))
        m.d.comb += [
            widen.i.eq(raw.p.elements), widen.format.eq(raw.p.job.float_format),
            widened.block.elements.eq(widen.o),
            *(widened.block[name].eq(raw.p[name]) for name in raw_block_layout(config).members
              if name != "elements"),
            # Widening changes no order, so magnitudes may be compared before it, and meanwhile.
            *(place.eq(found) for place, found in zip(
                widened.largest_at, largest_in_fours(m, self._magnitudes(raw.p)), strict=True)),
        ]
        register_slice(m, raw, wide, widened)
        if config.vector_lanes:
            wide = self._split(m, wide)
        aligned, place = aligner.o, self._beside(m, wide.p.block, wide.valid, aligner)
        m.d.comb += [
            aligner.i.p.elements.eq(wide.p.block.elements),
            aligner.i.p.largest_at.eq(wide.p.largest_at), aligner.i.valid.eq(wide.valid),
            wide.ready.eq(aligner.i.ready),
            stage.i.valid.eq(aligned.valid & (detector.i.ready | place.untagged)),
            stage.i.p.eq(aligned.p.block),
            detector.i.valid.eq(aligned.valid & stage.i.ready & ~place.untagged),
            aligned.ready.eq(stage.i.ready & (detector.i.ready | place.untagged)),
            detector.policy.units.eq(place.policy.units),
            detector.policy.threshold.eq(place.policy.threshold),
            # Where tags do not depend on magnitudes, the detector need not search.
            detector.policy.selection.eq(Mux(place.policy.selection == Selection.TOP,
                                             Selection.TOP, Selection.THRESHOLD)),
            detector.i.p.magnitude.eq(aligned.p.largest),
            detector.i.p.k_block.eq(place.k_block), detector.i.p.row_first.eq(place.row_first),
            detector.i.p.tile_last.eq(place.tile_last),
        ]
        wiring.connect(m, detector.o, stage.tags)

    def _merge(self, m, blocks):
        """Merge blocks with what comes back from the vector unit."""
        m.submodules.gate = gate = PassGate(self.config)
        wiring.connect(m, blocks, gate.i)
        wiring.connect(m, wiring.flipped(self.from_vector), gate.back)
        m.d.comb += gate.row_left.eq(self.row_left)
        return gate.o

    def _split(self, m, wide):
        """Give blocks of passes to the vector unit; return the stream of all others."""
        others = wide.signature.create(path=("others",))
        block = wide.p.block
        m.d.comb += [
            self.to_vector.valid.eq(wide.valid & block.job.is_pass), self.to_vector.p.eq(block),
            others.valid.eq(wide.valid & ~block.job.is_pass), others.p.eq(wide.p),
            wide.ready.eq(Mux(block.job.is_pass, self.to_vector.ready, others.ready))]
        return others

    def _magnitudes(self, block):
        """List the magnitudes of raw elements, as patterns of their own format."""
        if FP32.name not in self.config.float_formats:
            return [element[: FP16.width - 1] for element in block.elements]
        is_fp32 = block.job.float_format == FORMAT_CODES[FP32.name]
        # The sign of a narrow element is in the midst of a wide one; above it there are zeros.
        return [Cat(element[: FP16.width - 1], element[FP16.width - 1] & is_fp32,
                    element[FP16.width : FP32.width - 1]) for element in block.elements]

    def _beside(self, m, block, valid, aligner):
        """Carry what the detector must know of a block through registers beside the aligner's."""
        of_block = raw_block_layout(self.config).members
        layout = data.StructLayout({
            "k_block": of_block["k_block"], "row_first": 1, "tile_last": 1, "untagged": 1,
            "policy": of_block["job"].members["policy"]})
        streams = [stream.Signature(layout).create(path=(f"place_{stage}",))
                   for stage in range(aligner.latency)]
        first, last = streams[0], streams[-1]
        m.d.comb += [
            first.valid.eq(valid), first.p.k_block.eq(block.k_block),
            first.p.row_first.eq(block.row == 0),
            first.p.tile_last.eq(block.row_last & block.tile_last_row),
            first.p.policy.eq(block.job.policy), first.p.untagged.eq(block.job.untagged),
        ]
        for before, after in pairwise(streams):
            register_slice(m, before, after, before.p)
        m.submodules.place_leaves = leaves = StreamBuffer(layout)
        pass_on(m, last, leaves.i, last.p)
        m.d.comb += leaves.o.ready.eq(aligner.o.ready)
        return leaves.o.p
