"""Random jobs on whole machines, good ones and bad ones: ``mixdit check fuzz``.

Each simulation has a seed of its own. One that failed is run again by its machine and seed alone.
"""

from collections import Counter
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from commands.exit_codes import ExitCode
from sim_tests.fuzz.campaign import Campaign, KeptRecord, KeptSums, Seed
from sim_tests.fuzz.jobs import Fuzzer
from sim_tests.fuzz.models import MACHINES, build, counting, digest
from sim_tests.fuzz.record import code
from simulation.machine import SimulatedMachine
from simulation.machines import QUICK


def simulate(library: Path, name: str, jobs: int, seed: int) -> Counter[str]:
    """Try random jobs on a machine; count what became of them.

    Raises
    ------
    AssertionError, MachineError
        When the machine did anything wrong, or hung.
    """
    with SimulatedMachine(library) as machine:
        rng = np.random.default_rng([seed, *name.encode()])
        fuzzer = Fuzzer(machine, MACHINES[name], rng, counting(name))
        fuzzer.run(jobs)
        return Counter({**fuzzer.rig.tally, "cycles": machine.cycles})


CAMPAIGN = Campaign("fuzz", "jobs", MACHINES, digest, build, simulate, per_simulation=125, columns=(
    "good", "broken", "refused", "aborted", "reset", "counters", "meddled", "simulations",
    "cycles"))


def main(
    jobs: Annotated[int, typer.Option(min=1, help="Jobs in all.")] = 2000,
    seed: Seed = None,
    machine: Annotated[list[str] | None, typer.Option(
        help=f"Repeatable; of {', '.join(MACHINES)}; or all.",
        show_default=", ".join(QUICK))] = None,
    record: KeptRecord = None,
    sums: KeptSums = None,
) -> ExitCode:
    """Mix good jobs, bad jobs, broken packets, abuse, resets and aborts; check every bit.

    2,000 jobs take less than a minute; a machine is built once. The exit code is 1 after a fault,
    and the call that shows it again is printed. Without a record the first one ends the run.

    Example: mixdit check fuzz --jobs 100 --machine 4x4 --seed 7
    """
    return CAMPAIGN.run(machine or QUICK, jobs, seed, code, record, sums)
