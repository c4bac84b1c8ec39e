"""Lists of commands on the emitted Verilog, all of memory compared with golden's ring."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

import golden
from examples.attention_steps import PrecisionChoice
from examples.gemms import Style
from examples.lists.computation import Computation
from examples.lists.precisions import mx9_shares
from examples.lists.watched import WatchedMachine
from golden.memory.descriptor import BYTES
from hw.contract.config import Config
from hw.host.driver_errors import MachineError
from hw.host.memory import Commands, RingHost
from hw.host.memory.registers import NamedRegisters
from simulation.build import TOP, build
from simulation.memory_machine import Manners
from simulation.running import SimulationError
from simulation.works.golden_ring import carried_out

BASE = 0x8000_0000

RING_SIZE = 16


@dataclass(frozen=True)
class ListRow:
    """One list in one style.

    Attributes
    ----------
    style : Style
    steps : tuple of str
        What its commands make, in their order.
    commands, jobs : int
        A command for all heads is a job for each.
    cycles : int
        From the host's first access to a register to its last.
    beats : int
        Cycles of these in which a beat entered the array.
    read_bytes, written_bytes : int
        That went over the bus, whole words.
    touches : int
        Writes of registers and accesses to memory by the host, from the doorbell on.
    wrong_bytes : int
        Of all memory, that golden's ring has otherwise.
    a_mx9, b_mx9 : float
        Shares of the K-blocks that its GEMMs read as A and as B.
    qsnr : dict of str to float
        Of each step, all up to there included, against FP64 with nothing quantized; with the last
        list's steps, of what the host makes of their results.
    """

    style: Style
    steps: tuple[str, ...]
    commands: int
    jobs: int
    cycles: int
    beats: int
    read_bytes: int
    written_bytes: int
    touches: int
    wrong_bytes: int
    a_mx9: float
    b_mx9: float
    qsnr: dict[str, float]

    @property
    def name(self) -> str:
        """First and last step."""
        return " to ".join(dict.fromkeys((self.steps[0], self.steps[-1])))


def simulate_lists(
    computation: Computation, choices: Sequence[PrecisionChoice], config: Config, latency: int,
    console: Console,
) -> tuple[list[ListRow], Path, dict[str, float]]:
    """Run lists in several styles on a simulated machine, for a person who waits.

    Parameters
    ----------
    computation : Computation
    choices : sequence of PrecisionChoice
    config : Config
        With a bus; its model is built if it is not there yet.
    latency : int
        Cycles that the memory takes to answer.
    console : Console
        Where progress is shown.

    Returns
    -------
    rows : list of ListRow
    verilog : pathlib.Path
        What was simulated.
    seconds : dict of str to float
        Wall-clock time of "build" and "simulation".

    Raises
    ------
    SimulationError
        If the machine stops at a command, hangs, or breaks a rule.
    commands.tools.ToolError
        If a tool is missing, or the model can't be built.
    KeyboardInterrupt
        When the user interrupts or terminates us.
    """
    started = time.perf_counter()
    with Progress(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[cycle]}"),
                  TimeElapsedColumn(), console=console, transient=True,
                  disable=not console.is_terminal) as bar:
        task = bar.add_task("starting", total=None, cycle="")

        def show(what: str) -> None:
            bar.update(task, description=what)
            if not console.is_terminal:
                console.print(f"{what} …")

        show("Building the Verilator model (minutes, once)")
        library = build(config)
        built = time.perf_counter()
        bar.reset(task, total=None, cycle="")

        try:
            with WatchedMachine(
                    library, BASE, computation.size, outstanding=config.outstanding,
                    manners=Manners(read_latency=latency, write_latency=latency),
                    progress=lambda count: bar.update(task, cycle=f"cycle {count:,}")) as device:
                rows = run_lists(device, computation, choices, show)
        except MachineError as error:
            raise SimulationError(f"The simulation failed: {error}") from error
    seconds = {"build": built - started, "simulation": time.perf_counter() - built}
    return rows, library.parent / f"{TOP}.v", {name: round(each, 2) for name, each in
                                               seconds.items()}


def run_lists(
    device: WatchedMachine, computation: Computation, choices: Sequence[PrecisionChoice],
    show: Callable[[str], None],
) -> list[ListRow]:
    """Run a computation's lists in several styles, each on a machine out of its reset.

    Parameters
    ----------
    device : WatchedMachine
        With as much memory as the computation asks for, from `BASE` on.
    computation : Computation
    choices : sequence of PrecisionChoice
    show : callable
        ``show(what)`` is called before each list.

    Returns
    -------
    list of ListRow
        A style's lists one after the other.
    """
    rows = []
    for choice in choices:
        device.reset()
        with RingHost(device, BASE, computation.size, ring_size=RING_SIZE,
                      clock=lambda: device.cycles / 1e6) as host:
            tensors = computation.place(choice, host.memory)
            found = []
            for steps, commands in zip(tensors.steps, tensors.lists(host.commands), strict=True):
                show(f"{choice.style.title}, {', '.join(steps)}")
                found.append(_run_list(host, device, commands, choice.style, steps))
            numbers = tensors.read()
        qsnr = {step: golden.qsnr(wanted, numbers[step])
                for step, wanted in computation.reference.items()}
        for row in found:
            row.qsnr.update({step: qsnr.pop(step) for step in row.steps})
        found[-1].qsnr.update(qsnr)
        rows += found
    return rows


def _run_list(host: RingHost, device: WatchedMachine, commands: Commands, style: Style,
              steps: Sequence[str]) -> ListRow:
    registers = NamedRegisters(device)
    ring, first = registers.read_long("RING_BASE"), registers.read("RING_COMPLETED")
    before, began, counts = device.memory.copy(), device.cycles, device.counts()
    host.run(commands)
    ended, cycles, touches = device.counts(), device.cycles - began, device.touches
    place = slice(ring - BASE, ring - BASE + RING_SIZE * BYTES)
    before[place] = device.memory[place]
    expected = carried_out(host.config, before, BASE, (ring, RING_SIZE * BYTES), first,
                           len(commands))
    word, (a_mx9, b_mx9) = host.config.bus_bytes, mx9_shares(commands)
    return ListRow(
        style=style, steps=tuple(steps), commands=len(commands),
        jobs=sum(each.count_0 * each.count_1 for each in commands),
        cycles=cycles, beats=ended.beats - counts.beats,
        read_bytes=word * (ended.read_words - counts.read_words),
        written_bytes=word * (ended.write_words - counts.write_words),
        touches=touches, wrong_bytes=different(expected, device.memory),
        a_mx9=a_mx9, b_mx9=b_mx9, qsnr={})


def different(expected: NDArray[np.uint8], found: NDArray[np.uint8]) -> int:
    """Count bytes that differ."""
    return int(np.count_nonzero(expected != found))
