"""What is proven, as data, and the way to do it."""

import importlib
import inspect
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType

from formal.harness import Harness
from formal.netlist import transition_relation, write_rtlil
from formal.solver import Answer, base_case, induction_step, reached

_SOURCES = threading.Lock()
"""Of the modules in this process: a mutant is planted by one thread alone."""


@dataclass(frozen=True)
class Mutant:
    """A mistake in a module's source with which its proof must fail.

    Attributes
    ----------
    module : str
        As Python imports it.
    right, wrong : str
        What stands there, and what is put in its place.
    """

    module: str
    right: str
    wrong: str


@dataclass(frozen=True, kw_only=True)
class Proof:
    """A property of a module, for all inputs and all times.

    Attributes
    ----------
    name : str
    says : str
        The property, in words.
    assumes : str
        What is taken for granted of the inputs, in words; "" for nothing.
    bounds : str
        Reduced sizes or abstractions; "" for none.
    make : callable
        Returns the `Harness`. It imports the module under proof itself, so that a mutant is seen.
    depth : int
        Cycles that the induction looks back; 0 if the checks hold in any state.
    steps : int
        Cycles in which covers must be seen and mutants found out.
    one_by_one : bool
        Each check is asked for alone, which may take less time.
    mutants : tuple of Mutant
    """

    name: str
    says: str
    assumes: str = ""
    bounds: str = ""
    make: Callable[[], Harness]
    depth: int
    steps: int = 10
    one_by_one: bool = False
    mutants: tuple[Mutant, ...]


@dataclass(frozen=True)
class Outcome:
    """What came of a proof, or of one with a mutant.

    Attributes
    ----------
    checks : list of str
    unseen : list of str
        Covers that were not reached.
    base, induction : Answer
    """

    checks: list[str]
    unseen: list[str]
    base: Answer
    induction: Answer

    @property
    def is_proven(self) -> bool:
        return self.base.holds and self.induction.holds and not self.unseen

    def broken(self) -> list[str]:
        """Name the checks that a counterexample breaks first."""
        for state in self.base.states or self.induction.states[-1:]:
            if found := [name for name in self.checks if not state[f"holds_{name}"]]:
                return found
        return []


def prove(proof: Proof, folder: Path) -> Outcome:
    """Prove base case and induction step, which together are every cycle there is.

    May be called by several threads.
    """
    with _SOURCES:
        harness = proof.make()
        sources = write_rtlil(harness, folder)
    relation = transition_relation(harness, sources, folder)
    steps = max(proof.depth, proof.steps)
    apart = harness.checks * proof.one_by_one
    return Outcome(
        harness.checks,
        [name for name in harness.covers if not reached(relation, name, steps, folder)],
        base_case(relation, proof.depth, folder, apart),
        induction_step(relation, proof.depth, folder, apart))


def refute(proof: Proof, mutant: Mutant, folder: Path) -> Answer:
    """Look for a run from the initial values on in which a mutant breaks a check."""
    with _SOURCES, planted(mutant):
        harness = proof.make()
        sources = write_rtlil(harness, folder)
    relation = transition_relation(harness, sources, folder)
    return base_case(relation, max(proof.depth, proof.steps), folder)


@contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """Have a module with a mistake in this process, for a while.

    Who imported something of it by name gets the mistaken one.
    """
    module = importlib.import_module(mutant.module)
    source = inspect.getsource(module)
    if source.count(mutant.right) != 1:
        raise ValueError(f"{mutant.module} has {source.count(mutant.right)} places with "
                         f"{mutant.right!r}, not one")
    before = dict(vars(module))
    exec(compile(source.replace(mutant.right, mutant.wrong), f"<mutant of {mutant.module}>",
                 "exec"), vars(module))
    swapped = {id(old): vars(module)[name] for name, old in before.items()
               if isinstance(old, type | FunctionType) and vars(module)[name] is not old}
    importers = [(vars(other), name, value) for other in list(sys.modules.values())
                 if other is not module and getattr(other, "__name__", "").startswith("hw.")
                 for name, value in vars(other).items() if id(value) in swapped]
    for names, name, value in importers:
        names[name] = swapped[id(value)]
    try:
        yield
    finally:
        for names, name, value in importers:
            names[name] = value
        vars(module).clear()
        vars(module).update(before)
