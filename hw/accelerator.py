"""The top: a GEMM accelerator between AXI4-Stream and AXI4-Lite."""

from amaranth import Cat, ClockDomain, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .activation_path import ActivationPath
from .beat_issuer import BeatIssuer
from .block_walker import BlockWalker
from .controller import Controller
from .csr import AXI_LITE, CSR
from .job_fork import JobFork
from .mac_array import MACArray
from .operand_store import OperandStore
from .result_path import ResultPath
from .tile_writer import TileWriter
from .weight_loader import WeightLoader


def _axi_stream(prefix, stream_bytes, flow):
    """List the ports of an AXI4-Stream; `flow` is that of its data."""
    return {
        f"{prefix}_tdata": flow(8 * stream_bytes), f"{prefix}_tkeep": flow(stream_bytes),
        f"{prefix}_tlast": flow(1), f"{prefix}_tvalid": flow(1),
        f"{prefix}_tready": (Out if flow is In else In)(1),
    }


class Accelerator(wiring.Component):
    """Compute C = A·B: A floating point, converted here; B packed MX; C in FP32.

    Four engines each work through the same queue of jobs: rows of A are aligned and searched for
    outliers; token tiles are rounded and stored; column tiles of B are stored; and stored tiles
    meet in the array. Each runs as far ahead as its memory has room, across jobs, so that the array
    stops only when a stream is late.

    Every port is named as at an AMBA boundary. See `hw.registers` for the register map,
    `RowUnpacker`, `WeightLoader` and `ResultPath` for what the streams carry, `BlockWalker` for the
    order of tiles.

    Parameters
    ----------
    config : Config
    """

    def __init__(self, config):
        self.config = config
        axil = {f"s_axil_{name}": In(member.shape) if member.flow is Out else Out(member.shape)
                for name, member in AXI_LITE.members.items()}
        super().__init__({
            "aclk": In(1), "aresetn": In(1), **axil,
            **_axi_stream("s_axis_act", config.act_bytes, In),
            **_axi_stream("s_axis_wgt", config.weight_bytes, In),
            **_axi_stream("m_axis_out", config.result_bytes, Out),
            "irq": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.domains.sync = sync = ClockDomain(local=True)
        m.d.comb += [sync.clk.eq(self.aclk), sync.rst.eq(~self.aresetn)]

        m.submodules.csr = csr = CSR()
        m.submodules.controller = controller = Controller(config)
        m.submodules.jobs = jobs = JobFork(config, 4)
        m.submodules.activation_path = activation_path = ActivationPath(config)
        m.submodules.tile_writer = tile_writer = TileWriter(config)
        m.submodules.weight_loader = weight_loader = WeightLoader(config)
        m.submodules.act_store = act_store = OperandStore(
            lanes=config.rows, depth=config.act_depth, slots=config.tile_slots,
            drop_width=config.drop_width)
        m.submodules.weight_store = weight_store = OperandStore(
            lanes=config.cols, depth=config.weight_depth, slots=config.weight_slots,
            drop_width=config.drop_width)
        m.submodules.walker = walker = BlockWalker(config)
        m.submodules.array = array = MACArray(config)
        m.submodules.issuer = issuer = BeatIssuer(
            config, interval=max(config.rows, array.latency))
        m.submodules.result_path = result_path = ResultPath(config)

        self._connect_ports(m, csr, activation_path, weight_loader, result_path)
        wiring.connect(m, csr.registers, controller.registers)
        wiring.connect(m, controller.jobs, jobs.i)
        engines = (activation_path, tile_writer, weight_loader, walker)
        for queue, engine in zip(jobs.o, engines, strict=True):
            wiring.connect(m, queue, engine.jobs)
        wiring.connect(m, activation_path.blocks, tile_writer.i)
        wiring.connect(m, activation_path.tags, tile_writer.tags)
        wiring.connect(m, tile_writer.store, act_store.write)
        wiring.connect(m, weight_loader.store, weight_store.write)
        wiring.connect(m, walker.o, issuer.i)
        wiring.connect(m, issuer.counts, controller.beat_counts)
        wiring.connect(m, tile_writer.counts, controller.conversion_counts)
        wiring.connect(m, activation_path.job_faults, controller.act_faults)
        wiring.connect(m, weight_loader.job_faults, controller.weight_faults)
        m.d.comb += [
            walker.act_ready.eq(tile_writer.ready), walker.weight_ready.eq(weight_loader.ready),
            act_store.flags_address.eq(walker.act_flags_address),
            weight_store.flags_address.eq(walker.weight_flags_address),
            walker.act_flags.eq(act_store.flags_read),
            walker.weight_flags.eq(weight_store.flags_read),
            issuer.walker_waits_for_act.eq(walker.waits_for_act),
            issuer.walker_waits_for_weight.eq(walker.waits_for_weight),
            issuer.row_left.eq(result_path.row_left),
            tile_writer.released.eq(result_path.releases_act),
            tile_writer.released_blocks.eq(result_path.released_blocks),
            weight_loader.released.eq(result_path.releases_weight),
            weight_loader.released_blocks.eq(result_path.released_blocks),
            controller.job_ended.eq(result_path.job_ended),
            controller.faults.eq(Cat(activation_path.faults, weight_loader.faults)),
            self.irq.eq(controller.irq),
        ]
        self._connect_beats(m, issuer, act_store, weight_store, array, result_path)
        return m

    def _connect_ports(self, m, csr, activation_path, weight_loader, result_path):
        """Give the AMBA ports to those who use them."""
        for name, member in AXI_LITE.members.items():
            inner, port = getattr(csr.bus, name), getattr(self, f"s_axil_{name}")
            m.d.comb += inner.eq(port) if member.flow is Out else port.eq(inner)
        for prefix, target in (("s_axis_act", activation_path.i), ("s_axis_wgt", weight_loader.i)):
            m.d.comb += [
                target.p.data.eq(getattr(self, f"{prefix}_tdata")),
                target.p.keep.eq(getattr(self, f"{prefix}_tkeep")),
                target.p.last.eq(getattr(self, f"{prefix}_tlast")),
                target.valid.eq(getattr(self, f"{prefix}_tvalid")),
                getattr(self, f"{prefix}_tready").eq(target.ready),
            ]
        m.d.comb += [
            self.m_axis_out_tdata.eq(result_path.o.p.data),
            self.m_axis_out_tkeep.eq(result_path.o.p.keep),
            self.m_axis_out_tlast.eq(result_path.o.p.last),
            self.m_axis_out_tvalid.eq(result_path.o.valid),
            result_path.o.ready.eq(self.m_axis_out_tready),
        ]

    def _connect_beats(self, m, issuer, act_store, weight_store, array, result_path):
        """Read a beat's operands in the cycle it is issued; the array gets them in the next."""
        for store, address, slot, residual in (
            (act_store, issuer.act_address, issuer.act_slot, issuer.act_residual),
            (weight_store, issuer.weight_address, issuer.weight_slot, issuer.weight_residual),
        ):
            m.d.comb += [store.read.eq(issuer.issue), store.read_address.eq(address),
                         store.read_slot.eq(slot), store.read_residual.eq(residual)]
        tile = Signal.like(issuer.tile)
        m.d.sync += [array.valid.eq(issuer.issue), array.first.eq(issuer.first),
                     array.last.eq(issuer.last), tile.eq(issuer.tile)]
        m.d.comb += [
            array.a.eq(act_store.operands), array.b.eq(weight_store.operands),
            result_path.tile.eq(tile), result_path.tile_ends.eq(array.valid & array.last),
            result_path.act_anchors.eq(act_store.operand_anchors),
            result_path.weight_anchors.eq(weight_store.operand_anchors),
            result_path.captured.eq(array.captured), result_path.row_valid.eq(array.row_valid),
            result_path.row.eq(array.row),
        ]
