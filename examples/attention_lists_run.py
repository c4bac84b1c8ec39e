"""Both lists of an attention on the emitted Verilog, all of memory compared with golden's ring."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

import golden
from examples.attention import Attention, softmax
from examples.attention_lists import AttentionInMemory
from examples.attention_steps import PrecisionChoice
from examples.gemms import Style
from golden.memory.descriptor import BYTES
from hw.contract.config import Config
from hw.host.driver_errors import MachineError
from hw.host.memory import Commands, RingHost
from hw.host.memory.registers import NamedRegisters
from hw.registers.map import REGISTER
from simulation.build import TOP, build
from simulation.memory_machine import Manners, SimulatedMemoryMachine
from simulation.running import SimulationError
from simulation.works.golden_ring import carried_out

BASE, SIZE = 0x8000_0000, 1 << 25

RING_SIZE = 16

DOORBELL = REGISTER["RING_TAIL"].address

STEPS = (("q", "k", "v", "Kᵀ", "V", "Q·Kᵀ"), ("P·V", "out"))
"""What the commands of each list make, in their order; as in `Attention.reference`."""


class WatchedMachine(SimulatedMemoryMachine):
    """Count what the host does.

    Attributes
    ----------
    touches : int
        Writes of registers and accesses to memory from the last doorbell on, that included.
    """

    touches = 0

    def write_register(self, address: int, value: int) -> None:
        """Write a register."""
        self.touches = 1 if address == DOORBELL else self.touches + 1
        super().write_register(address, value)

    def read_memory(self, address: int, size: int) -> bytes:
        """Read bytes."""
        self.touches += 1
        return super().read_memory(address, size)

    def write_memory(self, address: int, data: bytes) -> None:
        """Write bytes."""
        self.touches += 1
        super().write_memory(address, data)


@dataclass(frozen=True)
class ListRow:
    """One list in one style.

    Attributes
    ----------
    style : Style
    name : str
        First and last step.
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
    qsnr : dict of str to float
        Of each step, all up to there included, against FP64 with nothing quantized.
    """

    style: Style
    name: str
    commands: int
    jobs: int
    cycles: int
    beats: int
    read_bytes: int
    written_bytes: int
    touches: int
    wrong_bytes: int
    qsnr: dict[str, float]


def simulate_lists(
    attention: Attention, choices: Sequence[PrecisionChoice], config: Config, latency: int,
    console: Console,
) -> tuple[list[ListRow], Path, dict[str, float]]:
    """Run the lists on a simulated machine for a person who waits.

    Parameters
    ----------
    attention : Attention
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
        bar.reset(task, total=len(choices) * len(STEPS), cycle="")

        def show_list(what: str) -> None:
            show(what)
            bar.advance(task)

        try:
            with WatchedMachine(
                    library, BASE, SIZE, outstanding=config.outstanding,
                    manners=Manners(read_latency=latency, write_latency=latency),
                    progress=lambda count: bar.update(task, cycle=f"cycle {count:,}")) as device:
                rows = run_lists(device, attention, choices, show_list)
        except MachineError as error:
            raise SimulationError(f"The simulation failed: {error}") from error
    seconds = {"build": built - started, "simulation": time.perf_counter() - built}
    return rows, library.parent / f"{TOP}.v", {name: round(each, 2) for name, each in
                                               seconds.items()}


def run_lists(
    device: WatchedMachine, attention: Attention, choices: Sequence[PrecisionChoice],
    show: Callable[[str], None],
) -> list[ListRow]:
    """Run an attention's two lists in several styles, each on a machine out of its reset.

    Parameters
    ----------
    device : WatchedMachine
        With `SIZE` bytes from `BASE` on.
    attention : Attention
    choices : sequence of PrecisionChoice
    show : callable
        ``show(what)`` is called before each list.

    Returns
    -------
    list of ListRow
        A style's lists one after the other.
    """
    reference, rows = attention.reference(), []
    for choice in choices:
        device.reset()
        with RingHost(device, BASE, SIZE, ring_size=RING_SIZE,
                      clock=lambda: device.cycles / 1e6) as host:
            tensors = AttentionInMemory(attention, choice, host.memory)
            found = []
            for steps in STEPS:
                commands = host.commands()
                if not found:
                    tensors.add_scores(commands)
                else:
                    scores = tensors.scores.read()
                    tensors.add_output(commands, softmax(scores).astype(np.float16))
                name = f"{steps[0]} to {steps[-1]}"
                show(f"{choice.style.title}, {name}")
                found.append(_run_list(host, device, commands, choice.style, name))
            numbers = tensors.read()
        for row, steps in zip(found, STEPS, strict=True):
            row.qsnr.update({step: golden.qsnr(reference[step], numbers[step]) for step in steps})
        rows += found
    return rows


def _run_list(host: RingHost, device: WatchedMachine, commands: Commands, style: Style,
              name: str) -> ListRow:
    registers = NamedRegisters(device)
    ring, first = registers.read_long("RING_BASE"), registers.read("RING_COMPLETED")
    before, began, counts = device.memory.copy(), device.cycles, device.counts()
    host.run(commands)
    ended = device.counts()
    place = slice(ring - BASE, ring - BASE + RING_SIZE * BYTES)
    before[place] = device.memory[place]
    expected = carried_out(host.config, before, BASE, (ring, RING_SIZE * BYTES), first,
                           len(commands))
    word = host.config.bus_bytes
    return ListRow(
        style=style, name=name, commands=len(commands),
        jobs=sum(each.count_0 * each.count_1 for each in commands),
        cycles=device.cycles - began, beats=ended.beats - counts.beats,
        read_bytes=word * (ended.read_words - counts.read_words),
        written_bytes=word * (ended.write_words - counts.write_words),
        touches=device.touches,
        wrong_bytes=different(expected, device.memory), qsnr={})


def different(expected: NDArray[np.uint8], found: NDArray[np.uint8]) -> int:
    """Count bytes that differ."""
    return int(np.count_nonzero(expected != found))
