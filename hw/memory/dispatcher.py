"""Carries commands out: starts their iterations, and tells readers and writer."""

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from golden.formats import BLOCK_SIZE, FP32
from golden.memory.descriptor import JobFlag, Operation
from golden.memory.faults import Fault
from hw.contract.job import asked_stages_layout
from hw.contract.job_codes import FORMAT_CODES, JobKind, Output, Selection
from hw.registers.codes import Refusal
from hw.registers.ring_map import FAULT_BITS

from .axi4 import OKAY, reach
from .batch_walk import BatchWalk
from .descriptor import descriptor_of, read_layout, renewal_layout
from .descriptor_check import DescriptorCheck
from .ledger import NOTE, READ_FAULTS, fault_of
from .pass_work import describe_pass, has_beside, is_pass
from .table_loader import load_layout
from .word_watch import watch_layout
from .work import (
    COUNT_BITS,
    INDEX_BITS,
    Form,
    Walk,
    beside_layout,
    fence_layout,
    holds,
    largest_group,
    results_layout,
    rows_layout,
    tiles_layout,
)

JOB_FIELDS = ("kind", "m", "n", "k", "tiles", "format", "output", "flags", "table", "selection",
              "units", "threshold")
"""Fields of the descriptor that take the place of the job registers of their names."""

OF_A_TABLE = (Refusal.ORDER_DOUBLE, Refusal.ORDER_INCOMPLETE, Refusal.TAGS_INCOMPLETE)
"""Why a job is refused that may be otherwise when its table has been loaded."""


class Dispatcher(wiring.Component):
    """Take commands in order; each iteration becomes a job and work for readers and writer.

    Parameters
    ----------
    config : Config
    address_bits, length_bits : int
        Of addresses inside.

    Members
    -------
    i : In(stream of read_layout)
    renewed : Out(renewal_layout)
        As `DescriptorReader` takes it.
    number : In(32)
        Of that command.
    completed : In(32)
        Commands that have ended.
    notify_address : In(address_bits)
    job_kind, job_m, … : Out(32)
        What stands in the job registers. With a vector unit the kind has a bit more, its third,
        which is that of a pass; ``job_k`` of a pass is its N.
    stages : Out(asked_stages_layout)
        With a vector unit: what else the job is asked to do.
    loads : Out(1)
        The job brings something for its table.
    checked : In(Refusal)
        Why that job would be refused, as it stood in the cycle before.
    start : Out(1)
        Start that job; it has stood for a cycle.
    refused : In(1)
        In the same cycle: it cannot be run.
    free : In(1)
        A job may be started.
    act : Out(stream of rows_layout)
    weight : Out(stream of tiles_layout)
    results : Out(stream of results_layout)
    beside : Out(stream of beside_layout)
        With a vector unit: of a pass that has any of it.
    load : Out(stream of load_layout), load_resp : In(2)
        As in `TableLoader`.
    watch : Out(stream of watch_layout), watch_resp : In(2)
        As in `WordWatch`.
    begins : Out(1), note : Out(NOTE), room : In(1)
    wrong : Out(FAULT_BITS), passed : In(1)
        As in `Ledger`; the note is that of the command at ``i``.
    """

    def __init__(self, config, *, address_bits, length_bits):
        self.config = config
        self.address_bits, self.length_bits = address_bits, length_bits
        self.has_vector, self.descriptor = bool(config.vector_lanes), descriptor_of(config)
        inside = {"address_bits": address_bits}
        of_vector = {
            "stages": Out(asked_stages_layout()),
            "beside": Out(stream.Signature(beside_layout(length_bits=length_bits, **inside)))}
        super().__init__({
            "i": In(stream.Signature(read_layout(self.descriptor))),
            "renewed": Out(renewal_layout(self.descriptor, address_bits)),
            "number": In(COUNT_BITS), "completed": In(COUNT_BITS),
            "notify_address": In(address_bits),
            **{f"job_{name}": Out(32) for name in JOB_FIELDS},
            "loads": Out(1), "checked": In(Refusal),
            "start": Out(1), "refused": In(1), "free": In(1),
            "act": Out(stream.Signature(rows_layout(length_bits=length_bits, **inside))),
            "weight": Out(stream.Signature(tiles_layout(**inside))),
            "results": Out(stream.Signature(results_layout(has_vector=self.has_vector, **inside))),
            "load": Out(stream.Signature(load_layout(**inside))), "load_resp": In(2),
            "watch": Out(stream.Signature(watch_layout(**inside))), "watch_resp": In(2),
            "begins": Out(1), "note": Out(NOTE), "room": In(1), "wrong": Out(FAULT_BITS),
            "passed": In(1), **(of_vector if self.has_vector else {}),
        })

    def elaborate(self, platform):
        m = Module()
        known = dict(self.descriptor.layout)
        command = Signal(self.descriptor.layout)
        sizes = {"address_bits": self.address_bits, "descriptor": self.descriptor}
        m.submodules.check = check = DescriptorCheck(**sizes)
        m.submodules.walk = walk = BatchWalk(**sizes)
        m.d.comb += [
            command.as_value().eq(self.i.p.bits),
            *(getattr(check, name).eq(self.i.p[name]) for name in ("bits", "reserved", "resp")),
            check.notify_address.eq(self.notify_address), walk.bits.eq(self.i.p.bits),
            self.renewed.valid.eq(walk.renews),
            *(self.renewed[name].eq(getattr(walk, f"{name}_after"))
              for name in self.descriptor.stepped),
            *(getattr(self, f"job_{name}").eq(command[name]) for name in JOB_FIELDS),
            self.loads.eq(command.loads_order | command.loads_tags)]
        fences = {name: self._fence(m, name, command[f"wait_{name}"])
                  for name in ("a", "b", "side", "residual") if f"wait_{name}" in known}
        k_blocks = Signal(16)
        columns = Mux(is_pass(command), command.n, command.k) if self.has_vector else command.k
        m.d.comb += k_blocks.eq((columns + (BLOCK_SIZE - 1)) >> exact_log2(BLOCK_SIZE))
        self._describe(m, command, walk, fences, k_blocks, columns)
        if self.has_vector:
            describe_pass(m, self, command, walk, fences, columns)
        loads_order = self._carry_out(m, command, check, walk, fences["side"])
        m.d.comb += [
            self.load.p.table.eq(command.table), self.load.p.is_tags.eq(~loads_order),
            self.load.p.address.eq(reach(Mux(loads_order, command.order, command.tags),
                                         self.address_bits - 1)),
            self.load.p.count.eq(
                Mux(loads_order, command.k, self._tag_blocks(m, command, k_blocks))),
            self.watch.p.address.eq(walk.a), self.watch.p.count.eq(command.sequence)]
        return m

    def _fence(self, m, name, distance):
        """Give the fence of an operand."""
        fence = Signal(fence_layout(), name=f"fence_{name}")
        m.d.comb += [fence.waits.eq(distance != 0), fence.ended.eq(self.number - distance + 1)]
        return fence

    def _carry_out(self, m, command, check, walk, side_fence):
        """Go from command to command; return whether the order is being loaded."""
        outs = [self.act, self.weight, self.results]
        if self.has_vector:
            outs.append(self.beside)
        converts = (command.kind & JobKind.CONVERT.value).any()
        late = Signal(FAULT_BITS)  # fault that does not show in the descriptor
        loads_order, counts, done = Signal(), Signal(), Signal()
        in_use = self._watch_tables(m, command)
        m.d.comb += [
            self.note.interrupt.eq(command.interrupt),
            self.note.is_done.eq((command.operation == Operation.WAIT.value) & ~command.notify),
            # What cannot be read asks for nothing.
            self.note.goes_on.eq(command.goes_on & check.is_readable),
            self.wrong.eq(0), self.i.ready.eq(done | self.passed)]
        with m.FSM():
            with m.State("CHECK"):
                with m.If(self.i.valid & self.room):
                    m.d.comb += walk.begins.eq(1)
                    m.next = "START"
                    with m.If(check.found != Fault.NONE):
                        m.next = "WRONG"
                    with m.Elif(command.operation == Operation.WAIT.value):
                        m.next = "WATCH"
                    with m.Elif(self.loads):
                        m.next = "TABLE"
            with m.State("WRONG"):
                m.d.comb += self.wrong.eq(Mux(late != 0, late, check.found))
                with m.If(self.passed):
                    m.d.sync += late.eq(0)
                    m.next = "CHECK"
            with m.State("TABLE"):
                is_good = Cat(self.checked == code for code in (Refusal.NONE, *OF_A_TABLE)).any()
                with m.If(~is_good):
                    m.next = "START"  # where it is refused
                with m.Elif(~holds(side_fence, self.completed) & ~in_use):
                    m.next = "TAGS"
                    with m.If(command.loads_order):
                        m.next = "ORDER"
            with m.State("ORDER"):
                m.d.comb += loads_order.eq(1)
                self._await(m, self.load, self.load_resp, late)
                with m.If(self.load.ready & (self.load_resp == OKAY)):
                    m.next = "START"
                    with m.If(command.loads_tags):
                        m.next = "TAGS"
            with m.State("TAGS"):
                self._await(m, self.load, self.load_resp, late)
                with m.If(self.load.ready & (self.load_resp == OKAY)):
                    m.next = "START"
            with m.State("WATCH"):
                self._await(m, self.watch, self.watch_resp, late)
                with m.If(self.watch.ready & (self.watch_resp == OKAY)):
                    m.d.comb += [self.begins.eq(1), done.eq(~command.notify)]
                    m.next = "CHECK"
                    with m.If(command.notify):
                        m.next = "COUNT"
            with m.State("START"):
                ready = Cat(each.ready for each in outs).all()
                with m.If(self.free & ready):
                    m.d.comb += self.start.eq(1)
                    with m.If(self.refused):
                        m.d.sync += late.eq(Fault.REFUSED)
                        m.next = "WRONG"
                    with m.Else():
                        m.d.comb += [
                            self.act.valid.eq(1), self.results.valid.eq(1),
                            self.weight.valid.eq(~converts), walk.moves.eq(1),
                            self.begins.eq(walk.is_first),
                            done.eq(walk.is_last & ~command.notify)]
                        if self.has_vector:
                            m.d.comb += [self.weight.valid.eq(~converts & ~is_pass(command)),
                                         self.beside.valid.eq(has_beside(self.beside.p))]
                        with m.If(walk.is_last):
                            m.next = "CHECK"
                            with m.If(command.notify):
                                m.next = "COUNT"
            with m.State("COUNT"):
                m.d.comb += [counts.eq(1), self.results.valid.eq(1)]
                with m.If(self.results.ready):
                    m.d.comb += done.eq(1)
                    m.next = "CHECK"
        with m.If(counts):
            m.d.comb += [
                self.results.p.form.eq(Form.COUNT), self.results.p.ends.eq(1),
                self.results.p.address.eq(self.notify_address),
                self.results.p.m.eq(self.number + 1)]
        return loads_order

    def _tag_blocks(self, m, command, k_blocks):
        """Give the blocks that static tags are for: those of a row of A, or of results."""
        if not self.has_vector:
            return k_blocks
        blocks = Signal(16)
        of_results = (command.n + (BLOCK_SIZE - 1)) >> exact_log2(BLOCK_SIZE)
        m.d.comb += blocks.eq(
            Mux(command.flags[exact_log2(JobFlag.TAGGED)], of_results, k_blocks))
        return blocks

    def _watch_tables(self, m, command):
        """Return whether a command that has not ended uses the command's table.

        It may have to be tried again, with what is in its table now.
        """
        tables, bits = self.config.tables, INDEX_BITS + 1
        table = command.table[: (tables - 1).bit_length()]
        uses = (self.loads | command.flags[exact_log2(JobFlag.REORDER)]
                | (command.selection == Selection.STATIC.value))
        if self.has_vector:
            uses |= command.flags[exact_log2(JobFlag.TAGGED)]
        is_used = [Signal(name=f"is_used_{number}") for number in range(tables)]
        free_at = [Signal(bits, name=f"free_at_{number}", reset_less=True)
                   for number in range(tables)]
        for number in range(tables):
            with m.If(self.completed[:bits] == free_at[number]):
                m.d.sync += is_used[number].eq(0)
            with m.If(self.act.valid & uses & (table == number)):
                m.d.sync += [is_used[number].eq(1), free_at[number].eq(self.number + 1)]
        return Array(is_used)[table]

    def _await(self, m, asks, resp, late):
        """Ask until it is answered; an answer that is an error is a fault."""
        m.d.comb += asks.valid.eq(1)
        with m.If(asks.ready & (resp != OKAY)):
            m.d.sync += late.eq(fault_of(resp, READ_FAULTS))
            m.next = "WRONG"

    def _describe(self, m, command, walk, fences, k_blocks, columns):
        """Say what an iteration reads and writes."""
        config, act, weight, results = self.config, self.act.p, self.weight.p, self.results.p
        row_bytes = Signal(self.length_bits)
        group_rows = Signal(bits_for(largest_group(config)))  # of a job that is not refused
        is_wide = command.format == FORMAT_CODES[FP32.name]
        converts = (command.kind & JobKind.CONVERT.value).any()
        packs = command.output >= Output.MX6.value
        m.d.comb += [
            group_rows.eq(command.tiles * config.rows),
            row_bytes.eq(Mux(is_wide, columns << 2, columns << 1)),
            act.address.eq(walk.a), act.stride.eq(command.a_stride), act.k_blocks.eq(k_blocks),
            act.is_wide.eq(is_wide), act.length.eq(row_bytes), act.cols.eq(command.n),
            weight.address.eq(walk.b), weight.bias.eq(walk.bias),
            weight.has_bias.eq(command.flags[exact_log2(JobFlag.BIAS)]),
            weight.m.eq(command.m), weight.group_rows.eq(group_rows), weight.n.eq(command.n),
            weight.stride.eq(command.b_stride), weight.k_blocks.eq(k_blocks),
            results.address.eq(walk.c), results.stride.eq(command.c_stride),
            results.m.eq(command.m), results.n.eq(command.n),
            results.group_rows.eq(group_rows),
            results.form.eq(Mux(converts, Form.WEIGHTS, Mux(packs, Form.BLOCKS, Form.NUMBERS))),
            results.is_wide.eq(command.output == Output.FP32.value),
            results.is_mx9.eq(command.output == Output.MX9.value),
            results.is_last.eq(walk.is_last), results.ends.eq(walk.is_last & ~command.notify),
            act.fence.eq(fences["a"]), weight.fence.eq(fences["b"]),
            weight.side_fence.eq(fences["side"]),
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
