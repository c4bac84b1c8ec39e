"""Random lists of commands on whole machines, and what goes wrong: ``mixdit check fuzz-lists``.

Each simulation has a seed of its own. One that failed is run again by its machine and seed alone.
"""

from collections import Counter
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from commands.exit_codes import ExitCode
from sim_tests.fuzz.campaign import Campaign, KeptRecord, KeptSums, Seed
from sim_tests.fuzz.record import code
from sim_tests.fuzz_lists.models import MACHINES, build, digest
from sim_tests.fuzz_lists.trial import Trial, base_of
from sim_tests.memory.lists import SIZE
from simulation.memory_machine import SimulatedMemoryMachine

FUZZER = ("sim_tests/fuzz_lists", "sim_tests/memory", "sim_tests/stimuli", "simulation", "golden")
"""Folders that say what a seed does, and what is right."""

USUAL = ("4x4", "3x5")


def simulate(library: Path, name: str, lists: int, seed: int) -> Counter[str]:
    """Try random lists on a machine; count what became of them.

    Raises
    ------
    AssertionError, MachineError
        When the machine did anything wrong, or hung; the list is named.
    """
    rng, config = np.random.default_rng([seed, *name.encode()]), MACHINES[name]
    with SimulatedMemoryMachine(library, base_of(rng, config), SIZE,
                                outstanding=config.outstanding) as device:
        trial = Trial(device, config, rng)
        for number in range(lists):
            try:
                trial.run()
            except AssertionError as error:
                raise AssertionError(f"{name}, seed {seed}, list {number}: {error}") from error
        return Counter({**trial.tally, "cycles": device.cycles})


CAMPAIGN = Campaign(
    "fuzz-lists", "lists", MACHINES, digest, build, simulate, per_simulation=25,
    columns=("commands", "undisturbed", "spoilt", "errors", "window", "switched", "silence",
             "simulations", "cycles"))


def code_of_lists() -> str:
    """Digest the sources that, beside the machine's Verilog, decide what a simulation gives."""
    return code(FUZZER, ("tests", "torch"))


def main(
    lists: Annotated[int, typer.Option(min=1, help="Lists in all.")] = 500,
    seed: Seed = None,
    machine: Annotated[list[str] | None, typer.Option(
        help=f"Repeatable; of {', '.join(MACHINES)}; or all.",
        show_default=", ".join(USUAL))] = None,
    record: KeptRecord = None,
    sums: KeptSums = None,
) -> ExitCode:
    """Try lists of commands beside memories of any manners; compare every byte with golden's ring.

    Good lists, lists with wrong fields, a bus that fails or falls silent, windows, a ring that is
    switched off and on. The exit code is 1 after a fault, and the call that shows it again is
    printed. Without a record the first one ends the run.

    Example: mixdit check fuzz-lists --lists 100 --machine 4x4 --seed 7
    """
    return CAMPAIGN.run(machine or USUAL, lists, seed, code_of_lists, record, sums)
