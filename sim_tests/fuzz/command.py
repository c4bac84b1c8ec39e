"""Random jobs on whole machines, good ones and bad ones: ``mixdit check fuzz``.

Each simulation has a seed of its own. One that failed is run again by its machine and seed alone.
"""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from commands import builds, tools
from commands.environment import SEED_LIMIT
from commands.exit_codes import ExitCode
from commands.outputs import check_file, check_folder, write_text
from commands.running import sentences
from sim_tests.fuzz.campaign import Campaign
from sim_tests.fuzz.jobs import Fuzzer
from sim_tests.fuzz.models import MACHINES, build, counting, digest
from sim_tests.fuzz.record import Record, code, totals
from simulation.build import BUILD, NEEDS
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
    seed: Annotated[int | None, typer.Option(
        min=0, max=SEED_LIMIT // 2,
        help="Of each machine's first simulation; each further one has the next.",
        show_default="random; with a record 1")] = None,
    machine: Annotated[list[str] | None, typer.Option(
        help=f"Repeatable; of {', '.join(MACHINES)}; or all.",
        show_default=", ".join(QUICK))] = None,
    record: Annotated[Path | None, typer.Option(
        help="Add each simulation to this file; those it has are not run again.")] = None,
    sums: Annotated[Path | None, typer.Option(
        help="Write the sums of the record, with its failures, as JSON.")] = None,
) -> ExitCode:
    """Mix good jobs, bad jobs, broken packets, abuse, resets and aborts; check every bit.

    2,000 jobs take less than a minute; a machine is built once. The exit code is 1 after a fault,
    and the call that shows it again is printed. Without a record the first one ends the run.

    Example: mixdit check fuzz --jobs 100 --machine 4x4 --seed 7
    """
    names = CAMPAIGN.names(machine or QUICK)
    with sentences("Interrupted: the simulator was stopped."):
        builds.check_place(BUILD)
        tools.require(NEEDS)
        check_folder(BUILD)
        if record is not None and record == sums:
            raise ValueError("--record and --sums are one file: give two")
        for path in (record, sums):
            if path is not None:
                check_file(path)
        if seed is None:
            seed = int.from_bytes(os.urandom(3), "little") if record is None else 1
        kept = Record(record)
        failed = CAMPAIGN.try_all(names, jobs, seed, kept, code())
        if sums is not None:
            write_text(sums, json.dumps(totals(kept, code(), MACHINES, "jobs"), indent=1) + "\n")
    return ExitCode.DIFFERENT if failed else ExitCode.DONE
