"""The top: a GEMM accelerator between AXI4-Stream and AXI4-Lite."""

from amaranth import ClockDomain, DomainRenamer, Module, Mux, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .control.controller import Controller
from .engines import Engines
from .registers.csr import AXI_LITE, CSR
from .streams.stream_gate import InputGate, OutputHold


def _axi_stream(prefix, stream_bytes, flow):
    """List the ports of an AXI4-Stream; `flow` is that of its data."""
    return {
        f"{prefix}_tdata": flow(8 * stream_bytes), f"{prefix}_tkeep": flow(stream_bytes),
        f"{prefix}_tlast": flow(1), f"{prefix}_tvalid": flow(1),
        f"{prefix}_tready": (Out if flow is In else In)(1),
    }


def axi_lite_ports():
    """List the ports of AXI4-Lite."""
    return {f"s_axil_{name}": In(member.shape) if member.flow is Out else Out(member.shape)
            for name, member in AXI_LITE.members.items()}


def connect_axi_lite(m, top, csr):
    """Give the ports of AXI4-Lite to the registers."""
    for name, member in AXI_LITE.members.items():
        inner, port = getattr(csr.bus, name), getattr(top, f"s_axil_{name}")
        m.d.comb += inner.eq(port) if member.flow is Out else port.eq(inner)


class Accelerator(wiring.Component):
    """Compute C = A·B, and convert to MX, between AXI4-Streams and AXI4-Lite.

    Registers, and the gates through which streams pass, keep their state through an abort; all
    other state is in `Engines`, which the abort holds in reset.

    Every port is named as at an AMBA boundary.

    Parameters
    ----------
    config : Config
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "aclk": In(1), "aresetn": In(1), **axi_lite_ports(),
            **_axi_stream("s_axis_act", config.act_bytes, In),
            **_axi_stream("s_axis_wgt", config.weight_bytes, In),
            **_axi_stream("m_axis_out", config.result_bytes, Out),
            "irq": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.csr = csr = CSR()
        m.submodules.controller = controller = Controller(config)
        m.submodules.act_gate = act_gate = InputGate(stream_bytes=config.act_bytes)
        m.submodules.weight_gate = weight_gate = InputGate(stream_bytes=config.weight_bytes)
        m.submodules.output_hold = output_hold = OutputHold(stream_bytes=config.result_bytes)
        engines = Engines(config)
        m.submodules.engines = DomainRenamer("engines")(engines)

        engines_reset = Signal(init=1)  # a register, since it reaches every other one
        m.domains.sync = sync = ClockDomain(local=True)
        m.domains.engines = engine_domain = ClockDomain("engines", local=True)
        m.d.comb += [
            sync.clk.eq(self.aclk), sync.rst.eq(~self.aresetn),
            engine_domain.clk.eq(self.aclk),
            engine_domain.rst.eq(engines_reset),
        ]
        m.d.sync += engines_reset.eq(controller.drain)

        self._connect_ports(m, csr, act_gate, weight_gate, output_hold)
        wiring.connect(m, csr.registers, controller.registers)
        wiring.connect(m, controller.jobs, engines.jobs)
        wiring.connect(m, act_gate.o, engines.act)
        wiring.connect(m, weight_gate.o, engines.weight)
        wiring.connect(m, engines.o, output_hold.i)
        for name in ("order_write", "tag_write"):
            wiring.connect(m, getattr(controller, name), getattr(engines, name))
        for name in ("under_way", "tables_in_use", "score"):
            m.d.comb += getattr(controller, name).eq(getattr(engines, name))
        begins = Signal()  # the first cycle after a reset or RESUME, when the engines are in reset
        m.d.comb += [
            begins.eq(engines_reset & ~controller.drain),
            # After a reset of one cycle they still tell what they were doing before it. The job
            # that an abort meets at its end has sent all its results: it counts.
            controller.job_ended.eq(engines.job_ended & ~begins),
            controller.faults.eq(Mux(begins, 0, engines.faults)),
            *(gate.drain.eq(controller.drain) for gate in (act_gate, weight_gate)),
            output_hold.drain.eq(engines_reset),
            controller.output_pending.eq(output_hold.pending),
            engines.channel.eq(csr.registers.maximum_channel),
            csr.registers.maximum.eq(engines.maximum),
            engines.forget_maxima.eq(ResetSignal()),  # an abort leaves them
            self.irq.eq(controller.irq),
        ]
        return m

    def _connect_ports(self, m, csr, act_gate, weight_gate, output_hold):
        """Give the AMBA ports to those who use them."""
        connect_axi_lite(m, self, csr)
        for prefix, gate in (("s_axis_act", act_gate), ("s_axis_wgt", weight_gate)):
            m.d.comb += [
                gate.i.p.data.eq(getattr(self, f"{prefix}_tdata")),
                gate.i.p.keep.eq(getattr(self, f"{prefix}_tkeep")),
                gate.i.p.last.eq(getattr(self, f"{prefix}_tlast")),
                gate.i.valid.eq(getattr(self, f"{prefix}_tvalid")),
                getattr(self, f"{prefix}_tready").eq(gate.i.ready),
            ]
        m.d.comb += [
            self.m_axis_out_tdata.eq(output_hold.o.p.data),
            self.m_axis_out_tkeep.eq(output_hold.o.p.keep),
            self.m_axis_out_tlast.eq(output_hold.o.p.last),
            self.m_axis_out_tvalid.eq(output_hold.o.valid),
            output_hold.o.ready.eq(self.m_axis_out_tready),
        ]
