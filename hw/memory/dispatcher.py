"""Carries commands out: checks them, starts their iterations, and tells readers and writer."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from golden.formats import BLOCK_SIZE, FP32
from golden.memory.descriptor import ALIGNMENT, VERSION, JobFlag, Operation
from golden.memory.faults import Fault
from hw.contract.job_codes import FORMAT_CODES, JobKind, Output

from .axi4 import SLVERR
from .descriptor import DESCRIPTOR, DESCRIPTOR_BITS, RESERVED_BITS
from .ledger import FAULT_BITS, NOTE
from .tile_reader import BIAS_BYTES
from .work import COUNT_BITS, Form, Walk, results_layout, rows_layout, tiles_layout

JOB_FIELDS = ("kind", "m", "n", "k", "tiles", "format", "output", "flags", "table", "selection",
              "units", "threshold")
"""Fields of the descriptor that take the place of the job registers of their names."""


class Dispatcher(wiring.Component):
    """Take commands in order; each iteration becomes a job and work for readers and writer.

    Parameters
    ----------
    config : Config
    address_bits, length_bits : int

    Members
    -------
    i : In(stream of struct)
        ``bits``, a descriptor, and ``resp``.
    number : In(32)
        Of that command.
    job_kind, job_m, … : Out(32)
        What stands in the job registers.
    start : Out(1)
        Start that job; it has stood for a cycle.
    refused : In(1)
        In the same cycle: it cannot be run.
    free : In(1)
        A job may be started.
    act : Out(stream of rows_layout)
    weight : Out(stream of tiles_layout)
    results : Out(stream of results_layout)
    begins : Out(1), note : Out(NOTE), room : In(1)
    wrong : Out(FAULT_BITS), passed : In(1)
        As in `Ledger`; the note is that of the command at ``i``.
    """

    def __init__(self, config, *, address_bits, length_bits):
        self.config = config
        self.address_bits, self.length_bits = address_bits, length_bits
        sizes = {"address_bits": address_bits, "length_bits": length_bits}
        super().__init__({
            "i": In(stream.Signature(data.StructLayout({"bits": DESCRIPTOR_BITS, "resp": 2}))),
            "number": In(COUNT_BITS),
            **{f"job_{name}": Out(32) for name in JOB_FIELDS},
            "start": Out(1), "refused": In(1), "free": In(1),
            "act": Out(stream.Signature(rows_layout(**sizes))),
            "weight": Out(stream.Signature(tiles_layout(address_bits=address_bits))),
            "results": Out(stream.Signature(results_layout(address_bits=address_bits))),
            "begins": Out(1), "note": Out(NOTE), "room": In(1), "wrong": Out(FAULT_BITS),
            "passed": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        command = Signal(DESCRIPTOR)
        m.d.comb += command.as_value().eq(self.i.p.bits)
        for name in JOB_FIELDS:
            m.d.comb += getattr(self, f"job_{name}").eq(command[name])
        found, is_readable = self._check(m, command)
        at = self._iterate(m, command)
        self._describe(m, command, at)

        outs = (self.act, self.weight, self.results)
        converts = (command.kind & JobKind.CONVERT.value).any()
        is_last = (at["inner"] == 1) & (at["outer"] == 1)
        is_refused = Signal()
        m.d.comb += [self.note.interrupt.eq(command.interrupt),
                     # What cannot be read asks for nothing.
                     self.note.goes_on.eq(command.goes_on & is_readable)]
        with m.FSM():
            with m.State("CHECK"):
                with m.If(self.i.valid & self.room):
                    m.next = "WRONG"
                    with m.If(found == Fault.NONE):
                        m.next = "START"
            with m.State("WRONG"):
                m.d.comb += [self.wrong.eq(Mux(is_refused, Fault.REFUSED, found)),
                             self.i.ready.eq(self.passed)]
                with m.If(self.passed):
                    m.d.sync += is_refused.eq(0)
                    m.next = "CHECK"
            with m.State("START"):
                ready = Cat(each.ready for each in outs).all()
                with m.If(self.free & ready):
                    m.d.comb += self.start.eq(1)
                    with m.If(self.refused):
                        m.d.sync += is_refused.eq(1)
                        m.next = "WRONG"
                    with m.Else():
                        m.d.comb += [
                            self.act.valid.eq(1), self.results.valid.eq(1),
                            self.weight.valid.eq(~converts), at["moves"].eq(1),
                            self.begins.eq(~at["begun"]), self.i.ready.eq(is_last)]
                        with m.If(is_last):
                            m.next = "CHECK"
        return m

    def _check(self, m, command):
        """Find what is wrong with a descriptor by itself, the first that golden would name.

        Also tell whether it can be read: whether what it says otherwise means anything.
        """
        converts = (command.kind & JobKind.CONVERT.value).any()
        packed_a = command.kind == JobKind.GEMM_PACKED.value
        packed_c = converts | (command.output >= Output.MX6.value)
        wide_a = command.format == FORMAT_CODES[FP32.name]
        wide_c = command.output == Output.FP32.value
        has_bias = command.flags[exact_log2(JobFlag.BIAS)]

        def low(operand, unit):
            """Give the bits below a unit of all that says where an operand lies."""
            bits = exact_log2(unit)
            return Cat(command[f"{operand}{end}"][:bits]
                       for end in ("", "_stride", "_step_0", "_step_1")
                       if f"{operand}{end}" in dict(DESCRIPTOR)).any()

        unaligned = Cat(
            Mux(packed_a, low("a", ALIGNMENT), Mux(wide_a, low("a", 4), low("a", 2))),
            Mux(packed_c, low("c", ALIGNMENT), Mux(wide_c, low("c", 4), low("c", 2))),
            ~converts & low("b", ALIGNMENT),
            has_bias & low("bias", BIAS_BYTES),
            command.loads_order & low("order", ALIGNMENT),
            command.loads_tags & low("tags", ALIGNMENT)).any()
        beyond = Cat(uses & command[operand][self.address_bits:].any() for operand, uses in (
            ("a", 1), ("b", ~converts), ("c", 1), ("bias", has_bias))).any()
        reserved = Signal()
        with m.Switch(command.operation):
            for operation, bits in RESERVED_BITS.items():
                with m.Case(operation.value):
                    m.d.comb += reserved.eq(Cat(command.as_value()[bit] for bit in bits).any())
        # What the contract has and this machine does not yet.
        missing = (command.notify | command.loads_order | command.loads_tags
                   | (command.operation == Operation.WAIT.value))
        unreadable = {
            Fault.READ_SLVERR: self.i.p.resp == SLVERR,
            Fault.READ_DECERR: self.i.p.resp > SLVERR,
            Fault.UNKNOWN_VERSION: command.version != VERSION,
            Fault.UNKNOWN_OPERATION: ~Cat(
                command.operation == operation.value for operation in Operation).any(),
            Fault.RESERVED: reserved | missing,
        }
        fails = unreadable | {
            Fault.NO_COUNT: (command.count_0 == 0) | (command.count_1 == 0),
            Fault.UNALIGNED: unaligned,
            Fault.OUTSIDE: beyond,
            Fault.OVERLONG: (~packed_c & (command.m > 1)
                             & ((command.n << 1 + wide_c) > command.c_stride)),
        }
        found = Signal(FAULT_BITS)
        for fault, holds in reversed(fails.items()):  # the last that is assigned stays
            with m.If(holds):
                m.d.comb += found.eq(fault.value)
        return found, ~Cat(unreadable.values()).any()

    def _iterate(self, m, command):
        """Walk through both batch levels; return the addresses, what is left, and the way on."""
        inner, outer = Signal(16, reset_less=True), Signal(16, reset_less=True)
        moves = Signal()
        begun = Signal()
        at = {"inner": Mux(begun, inner, command.count_0),
              "outer": Mux(begun, outer, command.count_1), "moves": moves, "begun": begun}
        ends = (at["inner"] == 1) & (at["outer"] == 1)
        with m.If(moves):
            m.d.sync += [begun.eq(~ends), outer.eq(at["outer"]), inner.eq(at["inner"] - 1)]
            with m.If(at["inner"] == 1):
                m.d.sync += [inner.eq(command.count_0), outer.eq(at["outer"] - 1)]
        for name in ("a", "b", "c", "bias"):
            width = len(self.act.p.address)
            here, first = (Signal(width, name=f"{name}_{end}", reset_less=True)
                           for end in ("here", "first"))  # first: of this round of the inner level
            address, round_first = Signal(width, name=name), Signal(width, name=f"{name}_round")
            m.d.comb += [address.eq(Mux(begun, here, command[name])),
                         round_first.eq(Mux(begun, first, command[name]))]
            with m.If(moves):
                m.d.sync += [here.eq(address + command[f"{name}_step_0"]), first.eq(round_first)]
                with m.If(at["inner"] == 1):
                    after = round_first + command[f"{name}_step_1"]
                    m.d.sync += [here.eq(after), first.eq(after)]
            at[name] = address
        return at

    def _describe(self, m, command, at):
        """Say what an iteration reads and writes."""
        config, act, weight, results = self.config, self.act.p, self.weight.p, self.results.p
        row_bytes, group_rows, k_blocks = Signal(self.length_bits), Signal(32), Signal(16)
        is_wide = command.format == FORMAT_CODES[FP32.name]
        converts = (command.kind & JobKind.CONVERT.value).any()
        packs = command.output >= Output.MX6.value
        m.d.comb += [
            group_rows.eq(command.tiles * config.rows),
            k_blocks.eq((command.k + (BLOCK_SIZE - 1)) >> exact_log2(BLOCK_SIZE)),
            row_bytes.eq(Mux(is_wide, command.k << 2, command.k << 1)),
            act.address.eq(at["a"]), act.stride.eq(command.a_stride), act.k_blocks.eq(k_blocks),
            act.is_wide.eq(is_wide), act.length.eq(row_bytes), act.cols.eq(command.n),
            weight.address.eq(at["b"]), weight.bias.eq(at["bias"]),
            weight.has_bias.eq(command.flags[exact_log2(JobFlag.BIAS)]),
            weight.m.eq(command.m), weight.group_rows.eq(group_rows), weight.n.eq(command.n),
            weight.stride.eq(command.b_stride), weight.k_blocks.eq(k_blocks),
            results.address.eq(at["c"]), results.stride.eq(command.c_stride),
            results.m.eq(command.m), results.n.eq(command.n),
            results.group_rows.eq(group_rows),
            results.form.eq(Mux(converts, Form.WEIGHTS, Mux(packs, Form.BLOCKS, Form.NUMBERS))),
            results.is_wide.eq(command.output == Output.FP32.value),
            results.is_mx9.eq(command.output == Output.MX9.value),
            results.ends.eq((at["inner"] == 1) & (at["outer"] == 1)),
            *(work.index.eq(self.number) for work in (act, weight, results)),
        ]
        with m.Switch(command.kind):
            for kind, walk, rows in (
                    (JobKind.GEMM_PACKED, Walk.TILES, command.m),
                    (JobKind.CONVERT, Walk.ROWS, command.n),
                    (JobKind.CONVERT_TRANSPOSED, Walk.COLUMNS, command.k)):
                with m.Case(kind.value):
                    m.d.comb += [act.walk.eq(walk), act.rows.eq(rows)]
            with m.Default():
                m.d.comb += [act.walk.eq(Walk.ROWS), act.rows.eq(command.m)]
        for fence, distance in ((act.fence, command.wait_a), (weight.fence, command.wait_b),
                                (weight.side_fence, command.wait_side)):
            m.d.comb += [fence.waits.eq(distance != 0),
                         fence.ended.eq(self.number - distance + 1)]
