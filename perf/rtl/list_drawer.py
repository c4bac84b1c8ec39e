"""Random lists of one to eight commands, of which some read what others write."""

from dataclasses import dataclass, field

import numpy as np

from golden.memory import Command
from golden.memory.descriptor import JobFlag
from golden.memory.jobs import FORMAT_CODES, JobKind, Output
from hw.contract.config import Config
from perf.rtl.drawn_lists import FLOATS, DrawnList
from perf.rtl.drawn_stages import StageDrawer

SIZES = ((24, 24, 100), (8, 60, 256), (60, 12, 60), (30, 60, 16))
"""Most rows, columns and channels of a job: mixed, long sums, many tiles, short sums."""


PASSES = 0.35
"""Of commands, where there is a vector unit."""

TAGS = 0.15
"""Of those that choose among numbers: static tags."""


@dataclass
class Drawer:
    """Draws commands into a list.

    Parameters
    ----------
    drawn : DrawnList
    """

    drawn: DrawnList
    _results: list[tuple[int, Command]] = field(default_factory=list)
    _weights: list[tuple[int, Command]] = field(default_factory=list)

    def draw(self) -> None:
        """Append a command, which may read what another writes."""
        drawn, rng = self.drawn, self.drawn.rng
        number, config = len(drawn.commands), drawn.config
        m, n, k = (int(rng.integers(1, most + 1)) for most in SIZES[rng.integers(len(SIZES))])
        k = min(k, config.k_max)
        values = {"notify": int(rng.random() < 0.15)}
        if config.vector_lanes and rng.random() < PASSES:
            self._pass(number, min(m, 3 * config.rows), min(n, config.k_max), values)
            return
        if rng.random() < 0.2:
            command = drawn.convert(n, k, is_transposed=bool(rng.integers(2)), **values)
            self._weights.append((number, command))
            return
        is_packed, has_bias = bool(rng.random() < 0.35), bool(rng.integers(2))
        output = config.outputs[rng.integers(len(config.outputs))]
        if rng.random() < 0.3:  # any fences
            values |= {f"wait_{name}": int(rng.integers(number + 2)) for name in ("a", "b", "side")}
        if self._results and rng.random() < 0.4:
            at, source = self._results[rng.integers(len(self._results))]
            name = FLOATS.get(Output(source.output))
            if source.n <= config.k_max and (name is None or name in config.float_formats):
                m, k = source.m, source.n
                values |= {"a": source.c, "a_stride": source.c_stride, "wait_a": number - at}
                values |= {"kind": JobKind.GEMM_PACKED.value} if name is None else {
                    "kind": JobKind.GEMM.value, "format": FORMAT_CODES[name],
                    **drawn.selection(k)}
        if self._weights and "a" not in values and rng.random() < 0.5:
            at, source = self._weights[rng.integers(len(self._weights))]
            n, k = source.n, source.k
            values |= {"b": source.c, "b_stride": source.c_stride, "wait_b": number - at}
        elif "a" not in values and rng.random() < 0.25 and output.value in {
                each.value for each in FLOATS}:
            values |= self._batches(m, n, output)
        command = drawn.gemm(m, n, k, is_packed=is_packed, output=Output(output.value),
                             has_bias=has_bias, **values)
        if config.vector_lanes and rng.integers(2):
            command = self._with_residual(StageDrawer(drawn).stage())
        if config.vector_lanes and command.output == Output.MX6.value and n <= config.k_max and (
                rng.integers(2)):
            command = drawn.tag(n, flags=command.flags | JobFlag.TAGGED.value, is_of_results=True)
        elif config.vector_lanes and rng.random() < TAGS and command.kind == JobKind.GEMM.value:
            command = drawn.tag(k)
        if command.count_0 * command.count_1 == 1:
            self._results.append((number, command))

    def _pass(self, number: int, m: int, n: int, values: dict[str, int]) -> None:
        """Append a pass over rows, of which some are what another command writes."""
        drawn, rng, config = self.drawn, self.drawn.rng, self.drawn.config
        output = Output(config.outputs[rng.integers(len(config.outputs))].value)
        if rng.random() < 0.3:  # any fences
            values |= {f"wait_{name}": int(rng.integers(number + 2))
                       for name in ("a", "side", "residual")}
        if self._results and rng.random() < 0.4:
            at, source = self._results[rng.integers(len(self._results))]
            name = FLOATS.get(Output(source.output))
            if source.n <= config.k_max and name in config.float_formats:
                m, n = source.m, source.n
                values |= {"a": source.c, "a_stride": source.c_stride, "wait_a": number - at,
                           "format": FORMAT_CODES[name]}
        StageDrawer(drawn).vector_pass(m, n, output, **values)
        if output is Output.MX6 and rng.random() < TAGS:
            drawn.tag(n)
        self._results.append((number, self._with_residual(drawn.commands[-1])))

    def _with_residual(self, command: Command) -> Command:
        """Let the last command's residual be what another one writes, if there is such a thing."""
        drawn, rng, number = self.drawn, self.drawn.rng, len(self.drawn.commands) - 1
        found = [(at, each) for at, each in self._results if each.output == Output.FP32.value
                 and each.n == command.n and each.m >= command.m]
        if not command.residual_stride or not found or rng.integers(2):
            return command
        at, source = found[rng.integers(len(found))]
        drawn.commands[-1] = Command(**(command.describe() | {
            "residual": source.c, "residual_stride": source.c_stride,
            "wait_residual": number - at}))
        return drawn.commands[-1]

    def _batches(self, m: int, n: int, output: Output) -> dict[str, int]:
        """Draw both batch levels: A and B shared, results behind each other."""
        inner, outer = (int(each) for each in self.drawn.rng.integers(1, 4, 2))
        size = 4 if output.value == Output.FP32.value else 2
        stride = n * size
        return {"count_0": inner, "count_1": outer, "c_stride": stride,
                "c": self.drawn.room(m * stride * inner * outer, size), "c_step_0": m * stride,
                "c_step_1": m * stride * inner}


def draw_list(config: Config, rng: np.random.Generator) -> DrawnList:
    """Draw a list of one to eight commands, of which some read what others write.

    With a vector unit another one is drawn where numbers grow so much that a power of two does not
    exist, or that a row is normalized that has infinities.
    """
    while True:
        drawn = DrawnList(config, rng)
        drawer = Drawer(drawn)
        for _ in range(int(rng.integers(1, 9))):
            drawer.draw()
        drawn.commands[-1] = Command(**(drawn.commands[-1].describe() | {"interrupt": 1}))
        if not config.vector_lanes or _has_small_numbers(drawn):
            return drawn


def _has_small_numbers(drawn: DrawnList) -> bool:
    try:
        drawn.scheduled()
    except ValueError as error:
        if "SATURATED" in str(error) or "an infinity" in str(error):
            return False
        raise
    return True
