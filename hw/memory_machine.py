"""The machine between a bus and a ring of commands."""

from amaranth import ClockDomain, DomainRenamer, Module, Mux, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.memory.faults import Fault

from .contract.config import JOBS_UNDER_WAY
from .control.controller import Controller
from .engines import Engines
from .memory.axi4 import axi4_signature
from .memory.bus_reader import BusReader
from .memory.descriptor import DESCRIPTOR_BITS
from .memory.descriptor_reader import AHEAD, DescriptorReader
from .memory.dispatcher import JOB_FIELDS, Dispatcher
from .memory.ledger import FAULT_BITS, Ledger
from .memory.operand_reader import OperandReader
from .memory.result_sink import ResultSink
from .memory.ring_control import RingControl
from .memory.row_reader import RowReader
from .memory.tile_extent import length_bits
from .memory.tile_reader import TileReader
from .memory.work import COUNT_BITS, INDEX_BITS
from .memory.write_port import WritePort
from .registers.csr import fields_of, register_signature
from .streams.stream_fifo import StreamFIFO

WORKS = JOBS_UNDER_WAY
"""Jobs whose operands are not read, or whose results are not written."""

DESCRIPTORS, ACTIVATIONS, WEIGHTS = range(3)
"""Channels of the bus's read side, and their IDs."""


class MemoryMachine(wiring.Component):
    """Carry out the commands of a ring.

    Parameters
    ----------
    config : Config
        Whose streams are as wide as the bus.
    address_bits, data_bytes, burst_beats : int
        Of the bus.
    read_depth : int
        Words that each operand's queue holds.
    outstanding : int
        Bursts that are read, and words that are written, and not yet answered.

    Members
    -------
    registers : In(register_signature())
        Job registers and START have no effect: jobs come from the ring.
    enable, base, size_log2, tail, completed
        As in `DescriptorReader`.
    resume, skip, fault, is_idle
        As in `RingControl`.
    interrupts
        As in `Ledger`.
    bus : Out(axi4_signature)
    """

    def __init__(self, config, *, address_bits=40, data_bytes=32, burst_beats=16, read_depth=128,
                 outstanding=32):
        if {config.act_bytes, config.weight_bytes} != {data_bytes}:
            raise ValueError(f"act_bytes={config.act_bytes} and weight_bytes={config.weight_bytes} "
                             f"must be those of a word of the bus, {data_bytes}")
        self.config = config
        self.bus_sizes = {"address_bits": address_bits, "data_bytes": data_bytes}
        self.burst_beats, self.read_depth, self.outstanding = burst_beats, read_depth, outstanding
        super().__init__({
            "aclk": In(1), "aresetn": In(1), "registers": In(register_signature()),
            "enable": In(1), "base": In(address_bits), "size_log2": In(5), "tail": In(COUNT_BITS),
            "resume": In(1), "skip": In(1), "completed": Out(COUNT_BITS), "fault": Out(FAULT_BITS),
            "interrupts": Out(1), "is_idle": Out(1),
            "bus": Out(axi4_signature(id_bits=2, **self.bus_sizes)),
        })

    def elaborate(self, platform):
        m = Module()
        config, sizes = self.config, self.bus_sizes | {"length_bits": length_bits(self.config)}
        m.submodules.controller = controller = Controller(config)
        engines = Engines(config, surplus=True)
        m.submodules.engines = DomainRenamer("engines")(engines)
        dispatcher = Dispatcher(
            config, address_bits=sizes["address_bits"], length_bits=sizes["length_bits"])
        m.submodules.dispatcher = DomainRenamer("engines")(dispatcher)
        m.submodules.ledger = ledger = Ledger()
        m.submodules.ring = ring = RingControl()

        engines_reset = Signal(init=1)  # a register, since it reaches every other one
        m.domains.sync = sync = ClockDomain(local=True)
        m.domains.engines = engine_domain = ClockDomain("engines", local=True)
        m.d.comb += [
            sync.clk.eq(self.aclk), sync.rst.eq(~self.aresetn),
            engine_domain.clk.eq(self.aclk), engine_domain.rst.eq(engines_reset)]
        m.d.sync += engines_reset.eq(controller.drain)

        self._control(m, controller, engines, dispatcher, engines_reset)
        reader, words = self._read(m, dispatcher, ledger, sizes)
        for name, port in (("act", engines.act), ("weight", engines.weight)):
            beat = words[name]
            m.d.comb += [port.valid.eq(beat.valid), beat.ready.eq(port.ready),
                         *(port.p[field].eq(beat.p[field]) for field in ("data", "keep", "last"))]
        m.d.comb += engines.weight.p.keep.eq(~0)  # biases end within a beat, as zeros would fill it
        writer = self._write(m, dispatcher, ledger, engines.o, sizes)
        self._keep_account(m, dispatcher, ledger, words)
        self._watch_packets(m, controller, dispatcher, ledger)
        command = fields_of(controller.registers, "control")
        overrun = Signal()
        m.d.comb += [
            ring.enable.eq(self.enable), ring.resume.eq(self.resume), ring.skip.eq(self.skip),
            overrun.eq((self.tail - ledger.completed)[:COUNT_BITS] > 1 << self.size_log2),
            ring.stops.eq(ledger.stops | overrun),
            ring.found.eq(Mux(ledger.stops, ledger.fault, Fault.OVERRUN)),
            ring.quiet.eq(~reader.owes & ~writer.owes), ring.in_reset.eq(engines_reset),
            ledger.skip.eq(ring.skips), ledger.forget.eq(engines_reset),
            command.abort.eq(ring.drops), command.resume.eq(ring.lets_in),
            self.fault.eq(ring.fault), self.is_idle.eq(ring.is_idle),
            self.completed.eq(ledger.completed), self.interrupts.eq(ledger.interrupts)]
        self._fetch(m, reader, dispatcher, ledger, ring, sizes)
        return m

    def _keep_account(self, m, dispatcher, ledger, operands):
        """Tell the ledger what begins, and what the bus says of operands."""
        m.d.comb += [
            ledger.begins.eq(dispatcher.begins), ledger.note.eq(dispatcher.note),
            dispatcher.room.eq(ledger.room), ledger.wrong.eq(dispatcher.wrong),
            ledger.wrong_note.eq(dispatcher.note), dispatcher.passed.eq(ledger.passed)]
        for name, beat in operands.items():
            m.d.comb += [
                getattr(ledger, f"{name}_resp").eq(Mux(beat.valid & beat.ready, beat.p.resp, 0)),
                getattr(ledger, f"{name}_index").eq(beat.p.index)]

    def _watch_packets(self, m, controller, dispatcher, ledger):
        """Tell the ledger whose operands did not end within their strides.

        A packet from memory has no other fault: one that is longer than it must be is none.
        """
        indices = StreamFIFO(INDEX_BITS, depth=JOBS_UNDER_WAY)
        m.submodules.indices = DomainRenamer("engines")(indices)
        m.d.comb += [
            indices.i.valid.eq(dispatcher.act.valid), indices.i.p.eq(dispatcher.number),
            indices.o.ready.eq(controller.job_ended),
            ledger.cut_off.eq(controller.job_ended & controller.score.faults.any()),
            ledger.cut_off_index.eq(indices.o.p)]

    def _control(self, m, controller, engines, dispatcher, engines_reset):
        """Let the ring start jobs; all else is the registers'."""
        inner, outer = controller.registers, self.registers
        jobs = {f"job_{name}" for name in JOB_FIELDS}
        for name, member in register_signature().members.items():
            if name in jobs:
                m.d.comb += getattr(inner, name).eq(getattr(dispatcher, name))
            elif member.flow is In:
                m.d.comb += getattr(outer, name).eq(getattr(inner, name))
            elif name != "control":
                m.d.comb += getattr(inner, name).eq(getattr(outer, name))
        m.d.comb += [
            fields_of(inner, "control").start.eq(dispatcher.start),
            dispatcher.refused.eq(fields_of(inner, "irq_pending", "_set").refused),
            dispatcher.free.eq(engines.under_way != JOBS_UNDER_WAY),
        ]
        wiring.connect(m, controller.jobs, engines.jobs)
        for name in ("order_write", "tag_write"):
            wiring.connect(m, getattr(controller, name), getattr(engines, name))
        begins = Signal()
        m.d.comb += [
            *(getattr(controller, name).eq(getattr(engines, name))
              for name in ("under_way", "tables_in_use", "score")),
            begins.eq(engines_reset & ~controller.drain),
            controller.job_ended.eq(engines.job_ended & ~begins),
            controller.faults.eq(Mux(begins, 0, engines.faults)),
            engines.channel.eq(inner.maximum_channel), inner.maximum.eq(engines.maximum),
            engines.forget_maxima.eq(ResetSignal()),
        ]

    def _read(self, m, dispatcher, ledger, sizes):
        """Read operands; return what reads from the bus, and the operands' beats."""
        descriptors = max(AHEAD * DESCRIPTOR_BITS // (8 * sizes["data_bytes"]), self.burst_beats)
        m.submodules.reader = reader = BusReader(
            depths=(descriptors, self.read_depth, self.read_depth), domain="engines",
            burst_beats=self.burst_beats, outstanding=self.outstanding, **sizes)
        self._connect_bus(m, reader.bus)
        operands = {}
        for (name, kind), channel in zip(
                {"act": RowReader, "weight": TileReader}.items(), (ACTIVATIONS, WEIGHTS),
                strict=True):
            loop = kind(self.config, address_bits=sizes["address_bits"],
                        length_bits=sizes["length_bits"])
            operand = OperandReader(ahead=self.read_depth, **sizes)
            queue = StreamFIFO(loop.work.p.shape(), depth=WORKS)
            for part, end in ((loop, "pieces"), (operand, "reader"), (queue, "work")):
                m.submodules[f"{name}_{end}"] = DomainRenamer("engines")(part)
            wiring.connect(m, getattr(dispatcher, name), queue.i)
            wiring.connect(m, queue.o, loop.work)
            m.d.comb += loop.completed.eq(ledger.completed)
            wiring.connect(m, loop.o, operand.pieces)
            wiring.connect(m, operand.segments, getattr(reader, f"segments_{channel}"))
            wiring.connect(m, getattr(reader, f"o_{channel}"), operand.words)
            operands[name] = operand.o
        return reader, operands

    def _fetch(self, m, reader, dispatcher, ledger, ring, sizes):
        """Fetch descriptors."""
        descriptors = DescriptorReader(**sizes)
        m.submodules.descriptors = DomainRenamer("engines")(descriptors)
        m.d.comb += [
            *(getattr(descriptors, name).eq(getattr(self, name))
              for name in ("base", "size_log2", "tail")),
            descriptors.enable.eq(ring.runs), descriptors.completed.eq(ledger.completed),
            dispatcher.number.eq(descriptors.number)]
        wiring.connect(m, descriptors.o, dispatcher.i)
        wiring.connect(m, descriptors.segments, getattr(reader, f"segments_{DESCRIPTORS}"))
        wiring.connect(m, getattr(reader, f"o_{DESCRIPTORS}"), descriptors.words)

    def _write(self, m, dispatcher, ledger, results, sizes):
        """Write results; return what writes to the bus."""
        writer = ResultSink(self.config, **self.bus_sizes)
        queue = StreamFIFO(writer.work.p.shape(), depth=WORKS)
        m.submodules.writer = DomainRenamer("engines")(writer)
        m.submodules.results_work = DomainRenamer("engines")(queue)
        m.submodules.write_port = port = WritePort(
            id_bits=2, burst_beats=self.burst_beats, outstanding=self.outstanding,
            **self.bus_sizes)
        self._connect_bus(m, port.bus)
        wiring.connect(m, dispatcher.results, queue.i)
        wiring.connect(m, queue.o, writer.work)
        wiring.connect(m, results, writer.i)
        wiring.connect(m, writer.o, port.i)
        m.d.comb += [
            ledger.ended.eq(port.ended), ledger.answered.eq(port.answered),
            ledger.write_resp.eq(port.resp), ledger.overlong.eq(writer.overlong),
            ledger.overlong_index.eq(writer.overlong_index)]
        return port

    def _connect_bus(self, m, side):
        """Give one side of the bus its ports."""
        for name, member in side.signature.members.items():
            inner, outer = getattr(side, name), getattr(self.bus, name)
            m.d.comb += outer.eq(inner) if member.flow is Out else inner.eq(outer)
