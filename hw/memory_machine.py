"""The machine between a bus and a ring of commands."""

from amaranth import Cat, ClockDomain, ClockSignal, DomainRenamer, Module, Mux, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from golden.memory.descriptor import ALIGNMENT
from golden.memory.faults import Fault

from .contract.config import JOBS_UNDER_WAY
from .control.controller import Controller
from .engines import Engines
from .memory.axi4 import axi4_signature, reach
from .memory.beside_reader import BesideReader
from .memory.bus_reader import BusReader
from .memory.bus_watch import COUNTERS, BusWatch
from .memory.descriptor import DESCRIPTOR_BITS, descriptor_of
from .memory.descriptor_reader import AHEAD, DescriptorReader
from .memory.dispatcher import JOB_FIELDS, Dispatcher
from .memory.ledger import Ledger
from .memory.operand_path import OperandPath
from .memory.result_sink import ResultSink
from .memory.ring_control import RingControl
from .memory.row_reader import RowReader
from .memory.side_reader import SideReader
from .memory.tile_extent import length_bits
from .memory.tile_reader import BIAS_BYTES, TileReader
from .memory.window import Window
from .memory.work import COUNT_BITS, INDEX_BITS
from .memory.write_port import WritePort
from .registers.csr import fields_of, register_signature
from .registers.map import RING_REGISTERS
from .streams.memory_fifo import MemoryFIFO

WORKS = JOBS_UNDER_WAY
"""Jobs whose operands are not read, or whose results are not written."""

DESCRIPTORS, ACTIVATIONS, WEIGHTS, SIDE, BESIDE = range(5)
"""Channels of the bus's read side, and their IDs; tables and words that are watched are SIDE, and
what lies beside the rows of passes is BESIDE, of machines with a vector unit alone."""

WEIGHTS_SHARE = 2
"""Words of weights that are read ahead, by those of activations. While both are read each gets a
share of the port by its words; weights come for every group of token tiles, activations once."""


def id_bits(config):
    """Give the bits of an ID."""
    return bits_for(BESIDE if config.vector_lanes else SIDE)


def beside_depth(config):
    """Give the words that are read ahead of what lies beside the rows of passes.

    As of activations, but that they are taken more slowly: a burst, and the latency's share.
    """
    share = (config.read_depth - config.burst_beats) * BIAS_BYTES * config.vector_lanes
    return config.burst_beats + -(-share // config.bus_bytes)


class MemoryMachine(wiring.Component):
    """Carry out the commands of a ring.

    Parameters
    ----------
    config : Config
        With a bus.

    Members
    -------
    registers : In(register_signature(RING_REGISTERS))
    irq : Out(1)
    bus : Out(axi4_signature)

    Raises
    ------
    ValueError
        If the configuration has no bus.
    """

    def __init__(self, config):
        if not config.bus_bytes:
            raise ValueError("bus_bytes=0 is a machine between streams: give it a bus of 8 to 64 "
                             "bytes")
        self.config = config
        self.bus_sizes = {"address_bits": config.address_bits, "data_bytes": config.bus_bytes}
        self.id_bits = id_bits(config)
        super().__init__({
            "registers": In(register_signature(RING_REGISTERS)),
            "irq": Out(1), "bus": Out(axi4_signature(id_bits=self.id_bits, **self.bus_sizes)),
        })

    def elaborate(self, platform):
        m = Module()
        config, registers = self.config, self.registers
        inside = {"address_bits": config.address_bits + 1, "length_bits": length_bits(config)}
        m.submodules.controller = controller = Controller(config)
        engines = Engines(config, surplus=True)
        m.submodules.engines = DomainRenamer("engines")(engines)
        dispatcher = Dispatcher(config, **inside)
        m.submodules.dispatcher = DomainRenamer("engines")(dispatcher)
        m.submodules.ledger = ledger = Ledger(has_vector=bool(config.vector_lanes))
        m.submodules.ring = ring = RingControl()
        m.submodules.window = window = Window(address_bits=config.address_bits)

        engines_reset = Signal(init=1)  # a register, since it reaches every other one
        m.domains.engines = engine_domain = ClockDomain("engines", local=True)
        m.d.comb += [engine_domain.clk.eq(ClockSignal()), engine_domain.rst.eq(engines_reset)]
        m.d.sync += engines_reset.eq(controller.drain)

        self._control(m, controller, engines, dispatcher, engines_reset)
        reader = self._read_bus(m, window, inside)
        words = self._read(m, reader, dispatcher, ledger, inside)
        self._read_aside(m, reader, dispatcher, controller, inside)
        for name, beat in words.items():
            port = getattr(engines, name)
            m.d.comb += [port.valid.eq(beat.valid), beat.ready.eq(port.ready),
                         *(port.p[field].eq(beat.p[field]) for field in ("data", "keep", "last"))]
        # Biases may end within a beat. What follows there is anything, of columns that are not.
        m.d.comb += engines.weight.p.keep.eq(~0)
        writer = self._write(m, dispatcher, ledger, engines.o, window)
        self._keep_account(m, dispatcher, ledger, words)
        self._watch_packets(m, controller, dispatcher, ledger)
        self._fetch(m, reader, dispatcher, ledger, ring, inside)
        timed_out = self._watch_bus(m)
        # Until then commands may end that were under way, and WAITs between them are counted too.
        m.d.comb += [ring.quiet.eq(~reader.owes & ~writer.owes), ring.in_reset.eq(engines_reset),
                     ledger.forget.eq(engines_reset & ring.quiet)]
        self._run(m, controller, ledger, ring, timed_out)

        was_timed_out = Signal()
        m.d.sync += was_timed_out.eq(timed_out)
        events = fields_of(registers, "ring_irq_pending", "_set")
        m.d.comb += [
            events.marked.eq(ledger.interrupts),
            # A bus that is silent may stay so: then the ring never stands still.
            events.stopped.eq(ring.halts | timed_out & ~was_timed_out),
            self.irq.eq((registers.ring_irq_pending & registers.ring_irq_enable).any())]
        return m

    def _run(self, m, controller, ledger, ring, timed_out):
        """Let the ring run as the registers say, and show what it does."""
        registers = self.registers
        command, status = fields_of(registers, "ring_control"), fields_of(registers, "ring_status")
        drained = fields_of(controller.registers, "control")
        locked = Signal()
        overrun = Signal()
        misplaced = Signal()
        m.d.sync += locked.eq(locked | command.lock)
        m.d.comb += [
            overrun.eq((registers.ring_tail - ledger.completed)[:COUNT_BITS]
                       > 1 << registers.ring_size_log2),
            misplaced.eq((registers.ring_base_low & (ALIGNMENT - 1)).any()),
            ring.enable.eq(registers.ring_enable), ring.resume.eq(command.resume),
            ring.skip.eq(command.skip),
            ring.stops.eq(ledger.stops | misplaced | overrun | timed_out),
            ring.found.eq(Mux(ledger.stops, ledger.fault, Mux(
                misplaced, Fault.UNALIGNED, Mux(overrun, Fault.OVERRUN, Fault.TIMEOUT)))),
            ledger.skip.eq(ring.skips), drained.abort.eq(ring.drops),
            drained.resume.eq(ring.lets_in),
            registers.locked.eq(locked), registers.ring_completed.eq(ledger.completed),
            status.fault.eq(ring.fault), status.idle.eq(ring.is_idle),
            status.timed_out.eq(timed_out), status.locked.eq(locked)]

    def _watch_bus(self, m):
        """Count what goes over the bus; return whether it has been silent for too long."""
        registers = self.registers
        m.submodules.bus_watch = watch = BusWatch(
            id_bits=self.id_bits, outstanding=self.config.outstanding, **self.bus_sizes)
        m.d.comb += [
            *(getattr(watch.bus, name).eq(getattr(self.bus, name))
              for name in self.bus.signature.members),
            watch.limit.eq(registers.bus_timeout),
            *(getattr(registers, name).eq(getattr(watch, name)) for name in COUNTERS)]
        attributes = fields_of(registers, "bus_attributes")
        m.d.comb += [getattr(self.bus, name).eq(attributes[name])
                     for name in ("arcache", "arprot", "awcache", "awprot")]
        return watch.timed_out

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
        """Tell the ledger whose operands did not end within their strides, or had no powers.

        A packet from memory has no other fault: one that is longer than it must be is none.
        """
        indices = MemoryFIFO(INDEX_BITS, depth=JOBS_UNDER_WAY)
        m.submodules.indices = DomainRenamer("engines")(indices)
        m.d.comb += [
            indices.i.valid.eq(dispatcher.act.valid), indices.i.p.eq(dispatcher.number),
            indices.o.ready.eq(controller.job_ended),
            ledger.cut_off.eq(controller.job_ended & controller.score.faults.any()),
            ledger.cut_off_index.eq(indices.o.p)]
        if self.config.vector_lanes:
            m.d.comb += [
                ledger.saturated.eq(controller.job_ended & controller.score.saturated),
                ledger.saturated_index.eq(indices.o.p)]

    def _control(self, m, controller, engines, dispatcher, engines_reset):
        """Let commands start jobs; all else of the machine is the registers'."""
        inner, outer = controller.registers, self.registers
        shown = outer.signature.members
        for name, member in inner.signature.members.items():
            if name in shown:
                there, here = getattr(outer, name), getattr(inner, name)
                m.d.comb += there.eq(here) if member.flow is Out else here.eq(there)
        m.d.comb += [getattr(inner, f"job_{name}").eq(getattr(dispatcher, f"job_{name}"))
                     for name in JOB_FIELDS]
        m.d.comb += [
            fields_of(inner, "control").start.eq(dispatcher.start),
            dispatcher.refused.eq(fields_of(inner, "irq_pending", "_set").refused),
            controller.loads.eq(dispatcher.loads), dispatcher.checked.eq(controller.checked),
            dispatcher.free.eq(engines.under_way != JOBS_UNDER_WAY),
        ]
        if self.config.vector_lanes:
            m.d.comb += controller.stages.eq(dispatcher.stages)
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

    def _read_bus(self, m, window, inside):
        """Give every channel its part of the bus's read side."""
        config = self.config
        descriptors = max(AHEAD * DESCRIPTOR_BITS // (8 * config.bus_bytes), config.burst_beats)
        depths = [descriptors, config.read_depth, WEIGHTS_SHARE * config.read_depth,
                  config.burst_beats]
        if config.vector_lanes:
            depths.append(beside_depth(config))
        m.submodules.reader = reader = BusReader(
            depths=depths,
            domain="engines", burst_beats=config.burst_beats, outstanding=config.outstanding,
            length_bits=inside["length_bits"], **self.bus_sizes)
        m.d.comb += reader.window.eq(window.pages)
        self._connect_bus(m, reader.bus)
        base, end = (Cat(getattr(self.registers, f"window_{name}_{half}")
                         for half in ("low", "high")) for name in ("base", "end"))
        m.d.comb += [window.base.eq(base), window.limit.eq(end)]
        return reader

    def _read(self, m, reader, dispatcher, ledger, inside):
        """Read operands; return their beats."""
        config = self.config
        operands = {}
        paths = [
            ("act", RowReader, ACTIVATIONS, config.read_depth, config.act_bytes,
             config.element_bytes[0]),
            ("weight", TileReader, WEIGHTS, WEIGHTS_SHARE * config.read_depth,
             config.weight_bytes, BIAS_BYTES)]
        if config.vector_lanes:
            paths.append(("beside", BesideReader, BESIDE, beside_depth(config),
                          BIAS_BYTES * config.vector_lanes, BIAS_BYTES))
        for name, kind, channel, ahead, beat_bytes, unit_bytes in paths:
            path = OperandPath(kind(config, **inside), works=WORKS, ahead=ahead,
                               beat_bytes=beat_bytes, data_bytes=config.bus_bytes,
                               unit_bytes=unit_bytes, **inside)
            m.submodules[f"{name}_path"] = DomainRenamer("engines")(path)
            wiring.connect(m, getattr(dispatcher, name), path.work)
            wiring.connect(m, path.segments, getattr(reader, f"segments_{channel}"))
            wiring.connect(m, getattr(reader, f"o_{channel}"), path.words)
            m.d.comb += path.completed.eq(ledger.completed)
            operands[name] = path.o
        m.d.comb += dispatcher.completed.eq(ledger.completed)
        return operands

    def _read_aside(self, m, reader, dispatcher, controller, inside):
        """Load tables, as a host would, and watch words."""
        registers = controller.registers
        side = SideReader(self.config, data_bytes=self.config.bus_bytes, **inside)
        m.submodules.side = DomainRenamer("engines")(side)
        for name in ("load", "watch"):
            wiring.connect(m, getattr(dispatcher, name), getattr(side, name))
            m.d.comb += getattr(dispatcher, f"{name}_resp").eq(getattr(side, f"{name}_resp"))
        wiring.connect(m, side.segments, getattr(reader, f"segments_{SIDE}"))
        wiring.connect(m, getattr(reader, f"o_{SIDE}"), side.words)
        m.d.comb += fields_of(self.registers, "ring_status").waits.eq(side.waits)
        for name, member in side.table_members.items():
            here, there = getattr(side, name), getattr(registers, name)
            m.d.comb += there.eq(here) if member.flow is Out else here.eq(there)

    def _address(self, name):
        """Give the address in two registers."""
        halves = Cat(getattr(self.registers, f"{name}_{half}") for half in ("low", "high"))
        return reach(halves, self.config.address_bits)

    def _fetch(self, m, reader, dispatcher, ledger, ring, inside):
        """Fetch descriptors."""
        registers = self.registers
        descriptors = DescriptorReader(data_bytes=self.config.bus_bytes,
                                       descriptor=descriptor_of(self.config), **inside)
        m.submodules.descriptors = DomainRenamer("engines")(descriptors)
        m.d.comb += [
            descriptors.base.eq(self._address("ring_base")),
            descriptors.size_log2.eq(registers.ring_size_log2),
            descriptors.tail.eq(registers.ring_tail),
            dispatcher.notify_address.eq(self._address("notify_address")),
            descriptors.enable.eq(ring.runs), descriptors.completed.eq(ledger.completed),
            dispatcher.number.eq(descriptors.number)]
        wiring.connect(m, descriptors.o, dispatcher.i)
        m.d.comb += descriptors.renewed.eq(dispatcher.renewed)
        wiring.connect(m, descriptors.segments, getattr(reader, f"segments_{DESCRIPTORS}"))
        wiring.connect(m, getattr(reader, f"o_{DESCRIPTORS}"), descriptors.words)

    def _write(self, m, dispatcher, ledger, results, window):
        """Write results; return what writes to the bus."""
        config = self.config
        writer = ResultSink(config, address_bits=config.address_bits + 1,
                            data_bytes=config.bus_bytes)
        queue = MemoryFIFO(writer.work.p.shape(), depth=WORKS)
        m.submodules.writer = DomainRenamer("engines")(writer)
        m.submodules.results_work = DomainRenamer("engines")(queue)
        m.submodules.write_port = port = WritePort(
            id_bits=self.id_bits, burst_beats=config.burst_beats, outstanding=config.outstanding,
            **self.bus_sizes)
        self._connect_bus(m, port.bus)
        wiring.connect(m, dispatcher.results, queue.i)
        wiring.connect(m, queue.o, writer.work)
        wiring.connect(m, results, writer.i)
        wiring.connect(m, writer.o, port.i)
        m.d.comb += [
            port.window.eq(window.pages), port.holds.eq(ledger.holds),
            port.spoilt.eq(ledger.spoilt),
            ledger.ended.eq(port.ended), ledger.answered.eq(port.answered),
            ledger.write_resp.eq(port.resp), ledger.overlong.eq(writer.overlong),
            ledger.overlong_index.eq(writer.overlong_index)]
        return port

    def _connect_bus(self, m, side):
        """Give one side of the bus its ports."""
        for name, member in side.signature.members.items():
            inner, outer = getattr(side, name), getattr(self.bus, name)
            m.d.comb += outer.eq(inner) if member.flow is Out else inner.eq(outer)
