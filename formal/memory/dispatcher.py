"""Proof of `hw.memory.dispatcher`."""

from amaranth import Array, Cat, Mux, Signal
from amaranth.utils import exact_log2

import hw.memory.dispatcher as module
import hw.memory.pass_work as pass_work
from formal.harness import Harness
from formal.hollow import with_hollows
from formal.proof import Mutant, Proof
from golden.memory.descriptor import JobFlag, Operation
from golden.memory.faults import Fault
from hw.contract.config import Config
from hw.contract.job_codes import Selection
from hw.memory.descriptor import ADDRESS_BITS
from hw.memory.descriptor_check import BESIDE
from hw.memory.work import COUNT_BITS, FENCE_BITS, INDEX_BITS, UNDER_WAY

CONFIG = Config.sized(rows=2, cols=2, k_max=16)
OF_A_VECTOR_UNIT = Config.sized(rows=2, cols=2, k_max=16, bus_bytes=8, vector_lanes=1)

CHECK, START, WRONG, WATCH, TABLE, TAGS, ORDER, COUNT = range(8)


class DispatcherHarness(Harness):
    """Commands of any kind, with any number of iterations; the ledger counts them as it does.

    What the check of descriptors and the walk through batches say is anything, so long as it stays
    with the command. One arbitrary iteration of a command that uses a table is followed until that
    command has ended. There is room for any number of commands, up to the ledger's.

    Parameters
    ----------
    config : Config
    """

    def __init__(self, config=CONFIG):
        super().__init__()
        self.config = config

    def prove(self, m):
        dut = module.Dispatcher(self.config, address_bits=13, length_bits=10)
        m.submodules.dut, made = with_hollows(
            self, dut, [(module, ("DescriptorCheck", "BatchWalk"))])
        self.free_inputs(m, dut, but=("number", "completed", "room", "passed"))
        (check,), (walk,) = made["DescriptorCheck"], made["BatchWalk"]
        self.command = command = Signal(dut.descriptor.layout)
        m.d.comb += command.as_value().eq(dut.i.p.bits)
        self._stays(m, dut, check, walk)
        self.has_begun = Signal()
        self._ledger(m, dut)
        self._order(m, dut, check, walk)
        self._tables(m, dut)

    def _stays(self, m, dut, check, walk):
        """Assume that a command stays, and what is said of it, but for addresses that change."""
        said = Cat(check.found, dut.i.p.as_value())
        places = sum((1 << ADDRESS_BITS) - 1 << dut.descriptor.places[name]
                     for name in dut.descriptor.stepped)
        kept = Cat(check.is_readable, dut.i.p.as_value() & ~places)
        said_before, kept_before = Signal.like(said), Signal.like(kept)
        waits, self.renews = Signal(), Signal()
        renews = self.renews
        m.d.sync += [said_before.eq(said), kept_before.eq(kept),
                     waits.eq(dut.i.valid & ~dut.i.ready), renews.eq(dut.renewed.valid)]
        self.assume(m, ~walk.renews | walk.moves)
        self.assume(m, ~waits | dut.i.valid & (kept == kept_before)
                    & (renews | (said == said_before)))

    def _ledger(self, m, dut):
        """Count commands that are under way, and those that have ended, in order."""
        under_way, completed = Signal(range(UNDER_WAY + 1)), Signal(COUNT_BITS)
        ends, passes = self.free(1, "ends"), self.free(1, "passes")
        limit = self.limit = self.free_constant(m, range(UNDER_WAY + 1), "limit")
        self.assume(m, (limit > 0) & (limit <= UNDER_WAY))
        m.d.comb += [
            dut.completed.eq(completed), dut.room.eq(under_way < limit),
            dut.number.eq(completed + under_way - self.has_begun),
            dut.passed.eq(passes & (dut.wrong != 0) & (under_way == 0))]
        self.assume(m, ~ends | (under_way > self.has_begun))
        m.d.sync += [under_way.eq(under_way + dut.begins - ends),
                     completed.eq(completed + (ends | dut.passed))]
        self.before = Signal(range(UNDER_WAY + 1))  # commands before this one that have not ended
        m.d.comb += self.before.eq(under_way - self.has_begun)
        self.ends, self.under_way = ends, under_way

    def _order(self, m, dut, check, walk):
        """A command begins once, if it is good, and is taken with its last work."""
        has_begun, taken = self.has_begun, dut.i.valid & dut.i.ready
        m.d.sync += has_begun.eq((has_begun | dut.begins) & ~taken)
        walks = Signal()
        m.d.sync += walks.eq(Mux(walk.moves, ~walk.is_last, walks))
        self.assume(m, walk.is_first == ~walks)
        self.assume(m, ~dut.refused | ~walks)  # all iterations are as good as the first
        state, late = self.look("dut.fsm_state", 3), self.look("dut.late", len(dut.wrong))
        is_wait = self.command.operation == Operation.WAIT.value
        self.cover(m, "second_of_two", dut.start & ~dut.refused & walks & walk.is_last
                   & (self.under_way == 3))
        self.cover(m, "refused", dut.start & dut.refused & (self.under_way == 2))
        self.check(m, "begins_once", ~dut.begins | dut.i.valid & ~has_begun & dut.room)
        self.check(m, "begins_what_is_good", ~dut.begins | (check.found == Fault.NONE)
                   & (dut.wrong == 0) & ~(dut.start & dut.refused))
        self.check(m, "begun_or_passed", dut.i.ready == (
            dut.passed | dut.i.ready & (has_begun | dut.begins)))
        self.check(m, "wrong_has_not_begun", (dut.wrong == 0) | dut.i.valid & ~has_begun)
        self.check(m, "wrong_does_nothing", (dut.wrong == 0) | ~(
            dut.start | dut.act.valid | dut.weight.valid | dut.results.valid | dut.load.valid))
        stalls, before = Signal(), Signal.like(Cat(dut.wrong, dut.note))
        m.d.sync += [stalls.eq((dut.wrong != 0) & ~dut.passed),
                     before.eq(Cat(dut.wrong, dut.note))]
        self.check(m, "wrong_stays", ~stalls | (Cat(dut.wrong, dut.note) == before))
        starts = dut.start & ~dut.refused
        self.check(m, "works", (dut.act.valid == starts) & (dut.act.valid <= dut.act.ready)
                   & ~(dut.weight.valid & ~(starts & dut.weight.ready))
                   & ~(starts & ~(dut.results.valid & dut.results.ready & dut.free)))
        if self.config.vector_lanes:
            self._passes(m, dut, starts)
        self.check(m, "begins_with_work", dut.begins == (
            starts & ~has_begun | dut.begins & is_wait))
        work = dut.results.p
        hands = dut.results.valid & dut.results.ready
        self.check(m, "last_work_ends", (hands & work.ends) == (
            dut.i.ready & ~dut.passed & ~(is_wait & ~self.command.notify)))
        self.check(m, "index", ~hands | (work.index == dut.number[:INDEX_BITS]))
        fence = dut.act.p.fence
        self.check(m, "fence", ~starts | (fence.waits == (self.command.wait_a != 0)) & (
            (fence.ended + self.command.wait_a)[:FENCE_BITS] == (dut.number + 1)[:FENCE_BITS]))
        self.check(m, "where", (state == CHECK) | dut.i.valid)
        self.check(m, "begun_where", Mux(walks, state == START, 1)
                   & (has_begun == (walks | (state == COUNT))))
        self.check(m, "under_way", (self.under_way >= has_begun)
                   & (self.under_way <= self.limit))
        self.check(m, "room_stays", has_begun | (self.under_way < self.limit) | (state == CHECK))
        self.check(m, "late", (late == 0) | (state == WRONG))
        self.check(m, "renewed_where", ~self.renews | (state == START) | (state == CHECK)
                   | (state == COUNT))
        self.check(m, "why", Mux(state == WRONG, (late != 0) | (check.found != Fault.NONE),
                                 (state == CHECK) | has_begun
                                 | (check.found == Fault.NONE)))
        self.check(m, "operation", (state == CHECK) | (state == WRONG) | (state == COUNT)
                   | ((state == WATCH) == is_wait))
        self.check(m, "counts", (state != COUNT) | self.command.notify)

    def _passes(self, m, dut, starts):
        """A pass has no weights; what lies beside rows is of passes that have any of it."""
        flags, works = self.command.flags, dut.beside.p
        is_pass = self.command.operation == Operation.VECTOR.value
        has_any = Cat(flags[exact_log2(flag)] & (is_pass if flag is JobFlag.BIAS else 1)
                      for flag in BESIDE.values()).any()
        self.cover(m, "a_pass", starts & is_pass & has_any)
        self.check(m, "beside", (dut.beside.valid == (starts & has_any))
                   & (dut.beside.valid <= dut.beside.ready))
        self.check(m, "beside_in_wrong", (dut.wrong == 0) | ~dut.beside.valid)
        self.check(m, "no_weights", ~(dut.weight.valid & is_pass))
        for name in ("side", "residual"):
            fence, wait = works[f"{name}_fence"], self.command[f"wait_{name}"]
            self.check(m, f"fence_{name}", ~starts | (fence.waits == (wait != 0)) & (
                (fence.ended + wait)[:FENCE_BITS] == (dut.number + 1)[:FENCE_BITS]))

    def _tables(self, m, dut):
        """No table is loaded before its fence is open, nor while it is used."""
        command, bits = self.command, (self.config.tables - 1).bit_length()
        table = command.table[:bits]
        uses = (command.loads_order | command.loads_tags
                | command.flags[exact_log2(JobFlag.REORDER)]
                | (command.selection == Selection.STATIC.value))
        # All commands before this one that have not ended are nearer.
        is_open = (command.wait_side == 0) | (command.wait_side > self.before)
        self.check(m, "fence_of_the_table", ~dut.load.valid | is_open)

        is_followed, own, ahead = Signal(), Signal(bits), Signal(range(UNDER_WAY + 1))
        ends_own = is_followed & self.ends & (ahead == 0)
        marks = dut.act.valid & uses & ~is_followed & self.free(1, "marks")
        with m.If(marks):  # those before it that have not ended
            m.d.sync += [is_followed.eq(1), own.eq(table), ahead.eq(self.before - self.ends)]
        with m.Else():
            m.d.sync += [is_followed.eq(is_followed & ~ends_own),
                         ahead.eq(ahead - (self.ends & (ahead != 0)))]
        self.cover(m, "loads_another", dut.load.valid & is_followed & (table != own))
        self.cover(m, "waits", ~dut.load.valid & is_followed & (table == own) & (ahead == 1)
                   & (self.look("dut.fsm_state", 3) == TABLE))
        self.check(m, "not_while_used", ~dut.load.valid | ~is_followed | (table != own))
        width = INDEX_BITS + 1
        is_used, free_at = (Array(self.look(f"dut.{name}_{number}", size)
                                  for number in range(self.config.tables))
                            for name, size in (("is_used", 1), ("free_at", width)))
        left = Signal(width)  # commands that still have to end until the table is free
        m.d.comb += left.eq(free_at[own] - dut.completed[:width])
        self.check(m, "followed_uses", ~is_followed | is_used[own] & (ahead < left)
                   & (left <= self.under_way) & (ahead < self.under_way))


PROOFS = (Proof(
    name="dispatcher", make=DispatcherHarness, depth=1, steps=10,
    says="Commands begin in order, each at most once, with its first work, and only where the "
         "ledger has room; one that is faulty or refused never does, and nothing is done from it "
         "on until it is passed. Work is handed out only where all who get it are ready; the last "
         "of a command, and no other, says that it ends it, and the command is taken with it. No "
         "table is loaded before the command that its fence waits for has ended, nor while one "
         "that uses it has begun and not ended.",
    assumes="Descriptors stay until they are taken, but for addresses where the walk says so, and "
            "are numbered; commands end in order, after their last work; a job is refused in its "
            "command's first iteration or in none.",
    bounds="A 2x2 machine. What `DescriptorCheck` and `BatchWalk` say is anything that stays with "
           "the command until its addresses change.",
    mutants=(Mutant(module.__name__, " & ~in_use):", "):"),
             Mutant(module.__name__, "~holds(side_fence, self.completed) & ", ""),
             Mutant(module.__name__, "free_at[number].eq(self.number + 1)",
                    "free_at[number].eq(self.number)"),
             Mutant(module.__name__, "self.completed[:bits] == free_at[number]",
                    "self.completed[:1] == free_at[number][:1]"),
             Mutant(module.__name__, "self.begins.eq(walk.is_first),", "self.begins.eq(1),"),
             Mutant(module.__name__, "with m.If(check.found != Fault.NONE):", "with m.If(0):"),
             Mutant(module.__name__, "results.ends.eq(walk.is_last & ~command.notify)",
                    "results.ends.eq(walk.is_last)"),
             Mutant(module.__name__, "with m.If(self.i.valid & self.room):",
                    "with m.If(self.i.valid):"),
             Mutant(module.__name__, "m.d.sync += late.eq(0)", "m.d.sync += late.eq(late)"),
             Mutant(module.__name__, "with m.If(self.refused):", "with m.If(0):"),
             Mutant(module.__name__, "with m.If(self.free & ready):", "with m.If(self.free):"),
             Mutant(module.__name__, "self.number - distance + 1", "self.number - distance"))),
    Proof(
        name="dispatcher_of_a_vector_unit",
        make=lambda: DispatcherHarness(OF_A_VECTOR_UNIT), depth=1, steps=10,
        says="The same of a machine with a vector unit. Weights are of jobs that multiply, no "
             "pass; what lies beside rows is of passes that have any of it, with both of its "
             "fences.",
        assumes="As of `dispatcher`.", bounds="As of `dispatcher`.",
        mutants=(Mutant(module.__name__, "self.weight.valid.eq(~converts & ~is_pass(command))",
                        "self.weight.valid.eq(~converts)"),
                 Mutant(module.__name__, "self.beside.valid.eq(has_beside(self.beside.p))",
                        "self.beside.valid.eq(1)"),
                 Mutant(module.__name__, "outs.append(self.beside)", "pass"),
                 Mutant(pass_work.__name__, 'fences["residual"]', 'fences["side"]'),
                 Mutant(pass_work.__name__, "is_vector & flags[JobFlag.BIAS]",
                        "flags[JobFlag.BIAS]"))))
