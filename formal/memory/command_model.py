"""A model of the ring: who begins commands, reads, computes and writes, and what each waits for."""

from amaranth import Array, Cat, Signal

from formal.harness import Harness

COMMANDS, ITERATIONS, ITEMS = 4, 2, 2
"""Commands in all, jobs of each, and what each job brings every engine."""

PER_COMMAND = ITERATIONS * ITEMS

ENDS = COMMANDS * PER_COMMAND

GEMM, CONVERT, WAIT = range(3)
"""Kinds of commands; one that waits has nothing to read and nothing to write."""

LIMITS = {"begun": COMMANDS, "jobs": COMMANDS * ITERATIONS, "works": COMMANDS * ITERATIONS,
          "room": 4}
"""Any number up to these: commands that have begun and not ended, jobs that have been started and
not computed, jobs in the queue of each reader and of the writer, items from one to the next."""

LEAST = 1
"""Of each."""

ENGINES = ("dispatcher", "act", "weight", "compute", "writer")


class CommandHarness(Harness):
    """Each engine counts items of all commands, one command after the other.

    In every cycle one engine that can moves, the dispatcher by a whole job. A command has a kind, a
    table that it uses, and may load it; its distances say which earlier commands have to have ended
    before its activations, its weights, and its table are read, 0 for none.
    """

    def prove(self, m):
        def each(shape, name):
            """Give something arbitrary of every command."""
            return [self.free_constant(m, shape, f"{name}_{number}")
                    for number in range(COMMANDS + 1)]  # one is behind the last

        kinds, loads, tables = each(2, "kind"), each(1, "loads"), each(1, "table")
        self.distances = {name: each(range(COMMANDS), f"{name}_distance")
                          for name in ("act", "weight", "side")}
        for number in range(COMMANDS):
            self.assume(m, kinds[number] <= WAIT)
            for distances in self.distances.values():
                self.assume(m, distances[number] <= number)  # to one that there is
        self.kinds = Array(kinds)
        self.most = {name: self.free_constant(m, range(limit + 1), f"most_{name}")
                     for name, limit in LIMITS.items()}
        for name, most in self.most.items():
            self.assume(m, (most >= LEAST) & (most <= LIMITS[name]))
        self.at = {name: Signal(range(ENDS + 1), name=f"at_{name}") for name in ENGINES}
        command = {name: Signal(range(COMMANDS + 1), name=f"command_{name}") for name in ENGINES}
        m.d.comb += [command[name].eq(place // PER_COMMAND) for name, place in self.at.items()]
        completed = command["writer"]

        def is_open(name, number):
            distance = Array(self.distances[name])[number]
            return (distance == 0) | (completed + distance > number)

        def in_use(number):
            """Tell whether an earlier command that has not ended uses the table."""
            return Cat((other >= completed) & (other < number) & (tables[other] == Array(
                tables)[number]) for other in range(COMMANDS)).any()

        can = self._can(m, command, is_open, Array(loads), in_use)
        chosen, moves = self.free(range(len(ENGINES)), "chosen"), Signal()
        for number, (name, place) in enumerate(self.at.items()):
            with m.If(can[name] & (chosen == number)):
                m.d.sync += place.eq(place + (ITEMS if name == "dispatcher" else 1))
                m.d.comb += moves.eq(1)
        ended = self.at["writer"] == ENDS
        waits = (command["dispatcher"] == 2) & ~can["act"] & (command["act"] == 1)
        self.cover(m, "waits", moves & waits & (self.distances["act"][1] == 1)
                   & (self.at["weight"] == PER_COMMAND + 1) & (self.at["compute"] == PER_COMMAND))
        self.check(m, "goes_on", ended | Cat(can.values()).any())
        self._in_order(m)

    def _can(self, m, command, is_open, loads, in_use):
        """Say of each engine whether it can move."""
        at, most, can = self.at, self.most, {name: Signal(name=f"can_{name}") for name in ENGINES}
        begins, room = at["dispatcher"], most["room"]
        number, starts = command["dispatcher"], begins % PER_COMMAND == 0
        jobs = {name: begins // ITEMS - place // ITEMS for name, place in at.items()}
        m.d.comb += can["dispatcher"].eq(
            (begins != ENDS)
            & (~starts | (number - command["writer"] < most["begun"]))
            & (~starts | ~loads[number] | is_open("side", number) & ~in_use(number))
            & (jobs["compute"] < most["jobs"])
            & Cat(jobs[name] < most["works"] for name in ("act", "weight", "writer")).all())
        for name, kinds in (("act", (GEMM, CONVERT)), ("weight", (GEMM,))):
            is_own = Cat(self.kinds[command[name]] == kind for kind in kinds).any()
            fences = is_open(name, command[name])
            if name == "weight":
                fences = fences & is_open("side", command[name])
            m.d.comb += can[name].eq((at[name] < begins) & (~is_own | fences) & (
                at[name] < at["compute"] + room))
        m.d.comb += [
            can["compute"].eq((at["compute"] < at["act"]) & (at["compute"] < at["weight"])
                              & (at["compute"] < at["writer"] + room)),
            can["writer"].eq(at["writer"] < at["compute"])]
        return can

    def _in_order(self, m):
        at, room = self.at, self.most["room"]
        self.check(m, "nothing_from_nowhere", (at["dispatcher"] <= ENDS)
                   & (at["dispatcher"] % ITEMS == 0) & (at["act"] <= at["dispatcher"])
                   & (at["weight"] <= at["dispatcher"]))
        self.check(m, "computes_what_was_read", (at["compute"] <= at["act"])
                   & (at["compute"] <= at["weight"]) & (at["writer"] <= at["compute"]))
        self.check(m, "within_the_room", (at["act"] <= at["compute"] + room)
                   & (at["weight"] <= at["compute"] + room)
                   & (at["compute"] <= at["writer"] + room))
