"""Follow the mutants of modules to their ends: their benches, the whole machine, the solver."""

import hashlib
import inspect
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from commands import children
from commands.kept import result
from commands.outputs import whole
from sim_tests.mutants import equivalence, one_cycle
from sim_tests.mutants.benches import Benches, reasons
from sim_tests.mutants.equivalence import is_equivalent
from sim_tests.mutants.mutant import Mutant
from sim_tests.mutants.task import Task
from sim_tests.mutants.trial import Outcome, run

Show = Callable[[str, int, int], None]
"""``show(what, done, of)``: told of progress."""


@dataclass(frozen=True)
class Followed:
    """A mutant with the good netlist that it was drawn from."""

    mutant: Mutant
    good: Path
    top: str


class Examination:
    """All mutants of some modules.

    Parameters
    ----------
    benches : sequence of Benches
    count, seed : int
        Mutants of each module, and which.
    out : pathlib.Path
        For what the trials need and leave.
    jobs : int
        Trials at once.
    show : callable

    Attributes
    ----------
    seconds : float
        Wall time of the trials, one after the other, as each was measured.
    """

    def __init__(self, benches: Sequence[Benches], count: int, seed: int, out: Path, jobs: int,
                 show: Show):
        self._benches = {each.module: each for each in benches}
        self._count, self._seed, self._out, self._show = count, seed, out, show
        self._jobs = jobs
        self._all: list[Followed] = []
        self.seconds = 0.0

    def run(self) -> dict[str, list[Mutant]]:
        """Carry everything out; return the mutants, with their fates, by module."""
        self._draw()
        deepest = max(len(each.own) for each in self._benches.values())
        for depth in range(1, deepest):
            self._try_again(lambda each, depth=depth: each.own[depth:depth + 1],
                            f"bench {depth + 1}")
        machines = list(dict.fromkeys(
            bench for each in self._benches.values() for bench in each.whole))
        for bench in machines:
            self._try_again(lambda each, bench=bench: [bench] if bench in each.whole else [],
                            bench)
        self._prove()
        known = reasons()
        found: dict[str, list[Mutant]] = defaultdict(list)
        for each in self._all:
            mutant = each.mutant
            if not mutant.fate:
                reason = known.get((mutant.module, mutant.place))
                mutant = mutant.end("explained" if reason else "survived", reason or "")
            found[mutant.module].append(mutant)
        return {module: found[module] for module in self._benches}

    def _draw(self) -> None:
        """Draw the mutants of each module in its first bench, together with others'."""
        groups: dict[str, list[str]] = defaultdict(list)
        for each in self._benches.values():
            groups[each.own[0]].append(each.module)
        tasks = [Task(bench, sorted(modules), self._count, self._seed)
                 for bench, modules in groups.items()]
        for task, outcome in self._trials(tasks, "own benches"):
            for place, mutant in enumerate(outcome.mutants):
                self._all.append(Followed(_ended(mutant, outcome, place, task.bench),
                                          outcome.good, outcome.top))

    def _prove(self) -> None:
        """Mark what is proven equivalent."""
        left = [number for number, each in enumerate(self._all) if not each.mutant.fate]
        with self._pool() as pool:
            answers = pool.map(lambda number: self._is_equivalent(self._all[number]), left)
            for done, (number, holds) in enumerate(zip(left, answers, strict=True), 1):
                self._show("equivalence", done, len(left))
                if holds:
                    self._end(number, self._all[number].mutant.end("equivalent", ""))

    def _is_equivalent(self, each: Followed) -> bool:
        """Ask the solver, unless it was asked before."""
        kept = each.good.parent / "equivalence"
        kept.mkdir(exist_ok=True)
        command = each.mutant.command(each.top)
        method = "".join(map(inspect.getsource, (equivalence, one_cycle)))
        question = command + method + hashlib.sha256(each.good.read_bytes()).hexdigest()
        answer = kept / f"{hashlib.sha256(question.encode()).hexdigest()[:16]}.json"
        known = result(answer)
        if not known:
            known = {"mutant": command, "equivalent": is_equivalent(each.mutant, each.good,
                                                                    each.top)}
            with whole(answer) as file:
                file.write(json.dumps(known).encode())
        return known["equivalent"]

    def _try_again(self, bench_of: Callable[[Benches], Sequence[str]], what: str) -> None:
        """Try those that are left in another bench, where they have a sibling."""
        groups: dict[str, list[int]] = defaultdict(list)
        for number, each in enumerate(self._all):
            if not each.mutant.fate:
                for bench in bench_of(self._benches[each.mutant.module]):
                    groups[bench].append(number)
        tasks = [Task(bench, mutants=[self._all[number].mutant for number in numbers])
                 for bench, numbers in groups.items()]
        for task, outcome in self._trials(tasks, what):
            for place, number in enumerate(groups[task.bench]):
                self._end(number, _ended(self._all[number].mutant, outcome, place, task.bench))

    def _end(self, number: int, mutant: Mutant) -> None:
        self._all[number] = replace(self._all[number], mutant=mutant)

    def _trials(self, tasks: Sequence[Task], what: str) -> Iterable[tuple[Task, Outcome]]:
        """Run trials at once; return them in their order."""
        found: dict[str, Outcome] = {}
        with self._pool() as pool:
            running = {pool.submit(run, task, self._out): task for task in tasks}
            for done in as_completed(running):
                outcome = done.result()
                found[running[done].bench] = outcome
                self.seconds += outcome.seconds
                self._show(f"{what}: {running[done].bench}", len(found), len(tasks))
        return [(task, found[task.bench]) for task in tasks]

    @contextmanager
    def _pool(self) -> Iterator[ThreadPoolExecutor]:
        """Give threads of which nothing goes on when they are left, also by an interrupt."""
        pool = ThreadPoolExecutor(self._jobs)
        try:
            yield pool
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            children.end_all()


def _ended(mutant: Mutant, outcome: Outcome, place: int, bench: str) -> Mutant:
    """Mark a mutant that a trial killed."""
    test = outcome.killed.get(place)
    return mutant if test is None else mutant.end("killed", f"{bench} {test}")
