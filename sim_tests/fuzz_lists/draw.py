"""Random lists: jobs of every kind, of which some read what others write."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from golden.memory import Command, Operation
from golden.memory.jobs import FORMAT_CODES, Function, JobKind, Output, Rows
from hw.contract.config import Config
from sim_tests.memory.lists import SPOILT, SPOILT_STAGES, Lists

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
        kinds = [self._gemm, self._gemm, self._convert, self._chain, self._product, self._batch,
                 self._with_tables, self._wait]
        if self.config.vector_lanes:
            kinds += [*[self._pass] * 4, *[self._staged] * 4, self._softmax]
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

    def _pass(self) -> None:
        """Send rows through the vector unit: numbers, or an earlier result; any stages."""
        rng, lists = self.lists.rng, self.lists
        m, _, n = self._shape()
        rows = (Rows.NONE, Rows.LAYER_NORM, Rows.RMS_NORM, Rows.MAXIMUM)[rng.integers(4)]
        function = Function(int(rng.integers(4)))
        is_norm = rows in (Rows.LAYER_NORM, Rows.RMS_NORM)
        fields, residual = dict(self._ends()), str(rng.choice(["none", "rows", "shift"]))
        source = self._number_source()
        if source is not None:
            at, command, n = source
            m = command.m
            fields |= {"a": command.c, "a_stride": command.c_stride, "format": FORMAT_CODES[
                NUMBERS[Output(command.output)]], "wait_a": len(lists.commands) - at}
        # Scores of any size, where a row's maximum makes them powers that exist.
        x = rng.standard_normal((m, n)).astype(np.float32)
        x *= 500 if rows is Rows.MAXIMUM else rng.choice([1, 1, 60])
        command = lists.vector_pass(
            m, n, rows=rows, function=function, output=self._output(), x=x,
            has_bias=bool(rows is Rows.NONE and rng.integers(2)),
            has_channel=bool(function not in (Function.GELU, Function.SILU) and rng.integers(2)),
            residual=residual, scalar=None if is_norm or rng.integers(2) else rng.normal(),
            **({} if "a" in fields else {"float_format": self._format()}), **fields)
        self._keep(command, n)
        source = self._number_source(Output.FP32, command.n)
        if residual == "rows" and source is not None and source[1].m >= m:
            at, other, _ = source
            lists.change(residual=other.c, residual_stride=other.c_stride,
                         wait_residual=len(lists.commands) - 1 - at)

    def _staged(self) -> None:
        """Send results of a GEMM through stages."""
        rng, lists = self.lists.rng, self.lists
        kind = (JobKind.GEMM, JobKind.GEMM_PACKED)[rng.integers(2)]
        self._gemm(kind=kind)
        _, command, n = self._results.pop()
        divides = kind is JobKind.GEMM_PACKED and bool(rng.integers(2))
        function = Function(int(rng.integers(4)))
        tags = None
        if command.output == Output.MX6.value and rng.integers(2):
            tags = rng.random(-(-n // 16)) < 0.4
        fields = {} if tags is None else {"table": self._loads % self.config.tables}
        self._loads += tags is not None
        self._keep(lists.staged(
            rows=Rows.SUM if divides else Rows.NONE, function=function, tags=tags,
            scalar=None if divides or rng.integers(2) else rng.normal(),
            has_channel=bool(function not in (Function.GELU, Function.SILU) and rng.integers(2)),
            residual=str(rng.choice(["none", "none", "rows", "shift"])), **fields), n)

    def _softmax(self) -> None:
        """Make powers where scores drain, and divide by their sums what they are multiplied by."""
        rng, lists, config = self.lists.rng, self.lists, self.config
        if not config.packs_results or not self.has_chains:
            return self._staged()
        m, n, k = self._shape()
        output = (Output.MX6, Output.MX9)[rng.integers(2)]
        weights = lists.gemm(m, n, 1 + k % 9, output=output, tiles=int(rng.integers(1, 4)))
        weights = lists.staged(function=Function.EXP2, **self._ends())
        lists.gemm(m, int(rng.integers(1, 20)), n, kind=JobKind.GEMM_PACKED, a=weights.c,
                   a_stride=weights.c_stride, wait_a=1)
        lists.staged(rows=Rows.SUM, **self._ends())

    def _number_source(self, output: Output | None = None,
                       columns: int = 0) -> tuple[int, Command, int] | None:
        """Choose an earlier result that is numbers; of a format and as wide, if it is said."""
        found = [each for each in self._results if Output(each[1].output) in NUMBERS
                 and (output is None or (each[1].output == output.value and each[2] == columns))
                 and NUMBERS[Output(each[1].output)] in self.config.float_formats]
        if not found or not self.has_chains or self.lists.rng.integers(2):
            return None
        return found[self.lists.rng.integers(len(found))]

    def _keep(self, command: Command, n: int) -> None:
        """Let others read a result, unless there may be powers in it that do not exist."""
        if command.function != Function.EXP2.value or command.rows == Rows.MAXIMUM.value:
            self._results.append((len(self.lists.commands) - 1, command, n))

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
    choices = SPOILT
    if lists.config.vector_lanes:
        choices = SPOILT | SPOILT_STAGES
    for number, command in enumerate(lists.commands):
        if Operation(command.operation) is Operation.WAIT:
            continue
        spoilt = {name: int(rng.choice(choices[name]))
                  for name in rng.choice(list(choices), rng.integers(0, 4), replace=False)}
        waits = {"wait_a": 0, "wait_b": 0, "wait_side": 0, "wait_residual": 0}
        lists.commands[number] = Command(**(
            command.describe() | {"c": lists.room(8192)} | waits | spoilt))
