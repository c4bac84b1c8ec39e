"""How long a block takes on a machine, and how much of it is useful."""

from collections.abc import Callable
from dataclasses import dataclass

from golden.formats import BLOCK_SIZE
from golden.memory import Command
from hw.contract.config import Config
from perf.rtl.bus_schedule import Latencies, predict_list

from .block_list import DESCRIPTORS
from .by_shape import schedule_by_shape
from .models import Blocks, Part

Show = Callable[[str], None]


@dataclass(frozen=True)
class PartFigures:
    """A part's.

    Attributes
    ----------
    name : str
    count : int
    cycles : int
        Of one, from the doorbell to its last command's end.
    multiplications : int
        Of one, of numbers that are there: padding is not counted.
    commands : tuple of (str, int)
        What each command multiplies or passes, and the cycles from the end of the one before.
    """

    name: str
    count: int
    cycles: int
    multiplications: int
    commands: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class BlockFigures:
    """A block's on one core.

    Attributes
    ----------
    title : str
    config : Config
    parts : tuple of PartFigures
    """

    title: str
    config: Config
    parts: tuple[PartFigures, ...]

    @property
    def cycles(self) -> int:
        """Of all parts, one after the other."""
        return sum(part.count * part.cycles for part in self.parts)

    @property
    def multiplications(self) -> int:
        """Of all parts."""
        return sum(part.count * part.multiplications for part in self.parts)

    @property
    def busy(self) -> float:
        """Useful multiplications over those that the array can do in MX6."""
        return self.multiplications / (
            BLOCK_SIZE * self.config.rows * self.config.cols * self.cycles)


def measure(blocks: Blocks, config: Config, latency: int = 100,
            show: Show = lambda part: None) -> BlockFigures:
    """Ask the cycle model for each part.

    Parameters
    ----------
    blocks : Blocks
    config : Config
        With a vector unit.
    latency : int
        Of the memory's reads and writes, in cycles.
    show : callable
        Called with each part's name.
    """
    def of_part(part: Part) -> PartFigures:
        show(part.name)
        made = part.make(config)
        commands = made.commands
        schedule = predict_list(config, [schedule_by_shape(config, each) for each in commands],
                                Latencies(latency, latency), ring=(0, DESCRIPTORS))
        ends = schedule.command_ends
        return PartFigures(part.name, part.count, ends[-1], made.multiplications, tuple(
            (_what(command), end - before) for command, end, before in zip(
                commands, ends, (0, *ends[:-1]), strict=True)))

    return BlockFigures(blocks.title, config, tuple(map(of_part, blocks.parts)))


def _what(command: Command) -> str:
    """Say what a command does, in a few words."""
    jobs = command.count_0 * command.count_1
    sizes = (command.m, command.n) if command.is_vector else (command.m, command.k, command.n)
    times = f"{jobs} times " * (jobs > 1)
    kind = "pass" if command.is_vector else "convert" if command.converts else "GEMM"
    return f"{kind} {times}{' x '.join(str(each) for each in sizes if each)}"
