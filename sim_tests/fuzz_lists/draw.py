"""Random lists: jobs of every kind, of which some read what others write."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from golden.memory import Command, Operation
from golden.memory.jobs import FORMAT_CODES, JobKind, Output
from hw.contract.config import Config
from sim_tests.memory.lists import SPOILT, Lists

NUMBERS = {Output.FP32: "fp32", Output.FP16: "fp16", Output.BF16: "bf16"}

@dataclass
class Drawer:
    """Draws commands into a list.

    Parameters
    ----------
    lists : Lists
    has_chains : bool
        Commands may read what others write.
    """

    lists: Lists
    has_chains: bool = True
    _results: list[tuple[int, Command, int]] = field(default_factory=list)
    _weights: list[tuple[int, Command]] = field(default_factory=list)
    _loads: int = 0

    @property
    def config(self) -> Config:
        """The machine."""
        return self.lists.config

    def draw(self, count: int) -> None:
        """Add some commands."""
        kinds = (self._gemm, self._gemm, self._convert, self._chain, self._product, self._batch,
                 self._with_tables, self._wait)
        for _ in range(count):
            kinds[self.lists.rng.integers(len(kinds))]()

    def _ends(self) -> dict[str, int]:
        rng = self.lists.rng
        return {"interrupt": int(rng.random() < 0.3),
                "notify": int(self.lists.ring.notify_address and rng.random() < 0.3)}

    def _shape(self) -> tuple[int, int, int]:
        rng, config = self.lists.rng, self.config
        return (int(rng.integers(1, 4 * config.rows)), int(rng.integers(1, 40)),
                int(rng.integers(1, 90)))

    def _output(self) -> Output:
        return Output(int(self.lists.rng.choice([each.value for each in self.config.outputs])))

    def _format(self) -> str:
        return str(self.lists.rng.choice(self.config.float_formats))

    def _gemm(self, shape: tuple[int, int, int] | None = None, kind: JobKind | None = None,
              **values: Any) -> None:
        rng, lists = self.lists.rng, self.lists
        kind = kind or (JobKind.GEMM, JobKind.GEMM_PACKED)[rng.integers(2)]
        m, n, k = shape or self._shape()
        output = self._output()
        own = {"float_format": self._format()} if "format" not in values else {}
        command = lists.gemm(m, n, k, kind=kind, output=output, has_bias=bool(rng.integers(2)),
                             tiles=int(rng.integers(1, 4)), **own, **self._ends(), **values)
        self._results.append((len(lists.commands) - 1, command, n))

    def _convert(self) -> None:
        rng, lists = self.lists.rng, self.lists
        command = lists.convert(
            int(rng.integers(1, 4 * self.config.cols)), int(rng.integers(1, 80)),
            transposed=bool(rng.integers(2)), float_format=self._format(), **self._ends())
        self._weights.append((len(lists.commands) - 1, command))

    def _chain(self) -> None:
        """Read an earlier result as A."""
        if not self._results or not self.has_chains:
            return self._gemm()
        at, source, k = self._results[self.lists.rng.integers(len(self._results))]
        fields = {"a": source.c, "a_stride": source.c_stride,
                  "wait_a": len(self.lists.commands) - at}
        shape = (source.m, self._shape()[1], k)
        output = Output(source.output)
        if output not in NUMBERS:
            return self._gemm(shape, JobKind.GEMM_PACKED, **fields)
        if NUMBERS[output] not in self.config.float_formats:
            return self._gemm()
        return self._gemm(shape, JobKind.GEMM, format=FORMAT_CODES[NUMBERS[output]], **fields)

    def _product(self) -> None:
        """Multiply by what a conversion made."""
        if not self._weights or not self.has_chains:
            return self._convert()
        at, source = self._weights[self.lists.rng.integers(len(self._weights))]
        return self._gemm((self._shape()[0], source.n, source.k), b=source.c,
                          b_stride=source.c_stride, wait_b=len(self.lists.commands) - at)

    def _batch(self) -> None:
        """Write several results beside each other, of shared operands."""
        rng, lists, config = self.lists.rng, self.lists, self.config
        counts = [int(rng.integers(1, 4)) for _ in range(2)]
        m, n, k = config.rows, int(rng.integers(1, 2 * config.cols)), int(rng.integers(1, 50))
        size = 4 * m * n
        lists.gemm(m, n, k, float_format=self._format(), count_0=counts[0], count_1=counts[1],
                   c=lists.room(size * counts[0] * counts[1], 4), c_stride=4 * n, c_step_0=size,
                   c_step_1=size * counts[0], **self._ends())

    def _with_tables(self) -> None:
        """Load an order or tags, or both."""
        rng, lists = self.lists.rng, self.lists
        m, n, k = self._shape()
        has_order, has_tags = bool(rng.integers(2)), bool(rng.integers(2))
        fields = lists.tables(
            k, order=rng.permutation(k) if has_order else None,
            tags=rng.random(-(-k // 16)) < 0.4 if has_tags else None,
            table=self._loads % self.config.tables)
        self._loads += 1
        lists.gemm(m, n, k, float_format=self._format(), **fields, **self._ends())

    def _wait(self) -> None:
        """Wait for a word that has come."""
        rng, lists = self.lists.rng, self.lists
        count = int(rng.integers(1 << 32))
        at = lists.room(4, 4)
        ahead = int(rng.integers(1 << 31))
        lists.memory.write(at, ((count + ahead) % (1 << 32)).to_bytes(4, "little"))
        ends = self._ends()
        lists.commands.append(Command(operation=Operation.WAIT, a=at, sequence=count, **ends))


def draw_list(rng: np.random.Generator, config: Config, base: int,
              window: tuple[int, int] | None = None, *, has_chains: bool = True) -> Lists:
    """Draw a list of one to eight commands.

    Parameters
    ----------
    rng : Generator
    config : Config
    base : int
        Address of the memory.
    window : (int, int), optional
        In bytes from there.
    has_chains : bool
        As of `Drawer`. What a command reads whose writer was skipped is not defined.
    """
    lists = Lists(rng, base=base, config=config, notify=bool(rng.integers(2)), window=window)
    Drawer(lists, has_chains).draw(int(rng.integers(1, 9)))
    return lists


def spoil(lists: Lists) -> None:
    """Let up to three fields of each command be any; what it writes then nobody reads."""
    rng = lists.rng
    lists.room(1 << 14)
    for number, command in enumerate(lists.commands):
        if Operation(command.operation) is Operation.WAIT:
            continue
        spoilt = {name: int(rng.choice(SPOILT[name]))
                  for name in rng.choice(list(SPOILT), rng.integers(0, 4), replace=False)}
        waits = {"wait_a": 0, "wait_b": 0, "wait_side": 0}
        lists.commands[number] = Command(**(
            command.describe() | {"c": lists.room(8192)} | waits | spoilt))
