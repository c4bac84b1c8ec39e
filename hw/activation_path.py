"""From activation rows to aligned blocks and their precision tags."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .block_aligner import BlockAligner
from .job import job_layout, report_signature
from .layouts import AlignedBlock
from .outlier_detector import OutlierDetector
from .outlier_policy import Tag
from .packet_guard import beat_layout
from .row_unpacker import RowUnpacker, raw_block_layout
from .stream_fifo import StreamFIFO
from .widen import Widen


class ActivationPath(wiring.Component):
    """Prepare token tiles of A while the array works on earlier ones.

    Blocks are aligned as they arrive and wait in a queue of 9-bit magnitudes until the detector has
    seen their whole tile; the `TileWriter` then rounds them, once, to the precision of their tag.
    Aligned blocks hold all that either precision needs, in a third of the bits of FP32.

    Parameters
    ----------
    config : Config

    Members
    -------
    jobs : In(stream of job_layout)
    i : In(stream of beat_layout)
    blocks : Out(stream of AlignedBlock)
        Row-major within each token tile.
    tags : Out(stream of Tag)
        One per K-block of each token tile, after the tile's last row has arrived.
    faults : Out(2), job_faults : Out(report_signature(2))
        As in `RowUnpacker`.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "jobs": In(stream.Signature(job_layout(config))),
            "i": In(stream.Signature(beat_layout(config.act_bytes))),
            "blocks": Out(stream.Signature(AlignedBlock)),
            "tags": Out(stream.Signature(Tag)),
            "faults": Out(2), "job_faults": Out(report_signature(2)),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.unpacker = unpacker = RowUnpacker(config)
        m.submodules.widen = widen = Widen(float_formats=config.float_formats)
        m.submodules.aligner = aligner = BlockAligner()
        m.submodules.waiting = waiting = StreamFIFO(AlignedBlock, depth=config.stage_depth)
        m.submodules.detector = detector = OutlierDetector(k_blocks_max=config.k_blocks_max)

        wiring.connect(m, wiring.flipped(self.jobs), unpacker.jobs)
        wiring.connect(m, wiring.flipped(self.i), unpacker.i)
        wiring.connect(m, unpacker.job_faults, wiring.flipped(self.job_faults))
        m.d.comb += self.faults.eq(unpacker.faults)

        # The place in the tile travels beside the block, through the aligner's one register.
        raw = unpacker.o.p
        place = Signal(raw_block_layout(config))
        with m.If(unpacker.o.valid & unpacker.o.ready):
            m.d.sync += place.eq(raw)
        m.d.comb += [
            widen.i.eq(raw.elements), widen.format.eq(raw.float_format),
            aligner.i.p.eq(widen.o), aligner.i.valid.eq(unpacker.o.valid),
            unpacker.o.ready.eq(aligner.i.ready),
        ]

        # A block enters the queue and the detector together.
        aligned = aligner.o
        m.d.comb += [
            waiting.i.valid.eq(aligned.valid & detector.i.ready),
            waiting.i.p.eq(aligned.p.block),
            detector.i.valid.eq(aligned.valid & waiting.i.ready),
            aligned.ready.eq(waiting.i.ready & detector.i.ready),
            detector.policy.eq(place.policy),
            detector.i.p.magnitude.eq(aligned.p.largest),
            detector.i.p.row_first.eq(place.row_first),
            detector.i.p.row_last.eq(place.row_last),
            detector.i.p.block_last.eq(place.block_last),
        ]
        wiring.connect(m, waiting.o, wiring.flipped(self.blocks))
        wiring.connect(m, detector.o, wiring.flipped(self.tags))
        return m
