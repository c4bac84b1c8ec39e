"""Passes as the engines get them: their packets, what lies beside them, and what must come."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from golden import MX9, MXTensor, quantize
from golden.floats import narrow
from golden.formats import FLOAT_FORMATS
from golden.mx import saturated_count
from golden.packing import weight_stream
from hw.contract.config import Config
from hw.contract.job import job_layout
from hw.contract.job_codes import AnyKind, Output, Selection
from hw.streams.packet_guard import beat_layout
from sim_tests import drive
from sim_tests.engines.watch import Task
from sim_tests.stimuli.broken_packets import Delivery, deliver
from sim_tests.stimuli.operands import job_words, packet_words
from sim_tests.stimuli.passes import Pass, draw_pass
from simulation.works.expected import operand_a, ordered_rows
from simulation.works.random_works import make_work

PACKED = (Output.MX6, Output.MX9)


@dataclass(eq=False)
class PassTask(Task):
    """A pass. Its work is the GEMM whose A has the rows of the pass, and its policy.

    Attributes
    ----------
    beside : list of int
        Beats of what it meets beside its rows, packed.
    saturates : bool
    """

    beside: list[int] = field(default_factory=list)
    saturates: bool = False

    @property
    def has_beats(self) -> bool:
        return False

    @property
    def of_vector(self) -> dict[str, int]:
        return {"has_blocks": int(self.job.output in PACKED), "saturated": int(self.saturates)}


def draw_task(config: Config, rng: np.random.Generator, outputs: tuple[Output, ...]) -> PassTask:
    """Draw a pass of any stages, and say with golden what must come of it."""
    m, n = int(rng.integers(1, 3 * config.rows)), int(rng.integers(1, config.k_max + 1))
    one = draw_pass(rng, m, n, outputs)
    chooses = one.output is Output.MX6
    selection = list(Selection)[rng.integers(4)] if chooses else Selection.HEAD
    x = np.clip(np.nan_to_num(one.x.view(np.float32)), -60_000, 60_000) if rng.random() < 0.8 else (
        one.x.view(np.float32))
    work = make_work(config, rng, m, 1, n, activations=x, output=one.output, selection=selection,
                     units=None if chooses else 1)
    one.x = ordered_rows(work).view(np.uint32)
    result, saturated = one.run()
    words, counts = _results(config, one, result, work)
    packets = deliver(config, work).packets | {"s_axis_wgt": ()}
    last_at = beat_layout(config.result_bytes)["last"].offset
    return PassTask(
        work, Delivery(packets), word_of(config, one, work), [_beat(config, word)
                                                              for word in words],
        sum(word >> last_at for word in words), Counter(), counts,
        beside=list(beside_words(config, rng, one)), saturates=saturated > 0)


def word_of(config: Config, one: Pass, work) -> int:
    """Pack the job of a pass."""
    layout = job_layout(config)
    word, = job_words(config, [replace(work.job, n=work.job.k, bias=one.bias is not None)])
    kind = AnyKind.VECTOR_PACKED if one.output in PACKED else AnyKind.VECTOR
    stages, = drive.pack(layout["stages"].shape,
                         {name: [value] for name, value in one.stages.items()})
    return word | kind.value | stages << layout["stages"].offset


def beside_words(config: Config, rng: np.random.Generator, one: Pass) -> Iterator[int]:
    """List the beats beside a pass, with garbage behind the ends of rows."""
    lanes = config.vector_lanes
    for packet in one.beside(config):
        for row, numbers in enumerate(packet):
            padded = rng.integers(0, 1 << 32, -(-len(numbers) // lanes) * lanes, np.uint32)
            padded[:len(numbers)] = numbers
            for at in range(0, len(padded), lanes):
                count = min(lanes, len(numbers) - at)
                is_last = row == len(packet) - 1 and at + lanes == len(padded)
                yield (int.from_bytes(padded[at:at + lanes].astype("<u4").tobytes(), "little")
                       | ((1 << 4 * count) - 1 | is_last << 4 * lanes) << 32 * lanes)


def _results(config: Config, one: Pass, result: np.ndarray, work
             ) -> tuple[list[int], dict[str, int]]:
    """List the beats that must come, and what is counted of its blocks."""
    if one.output not in PACKED:
        form = FLOAT_FORMATS[one.output.name.lower()]
        numbers = narrow(result.view(np.float32), form)
        return [word for row in numbers for at in range(0, len(row), config.cols)
                for word in packet_words(row[at:at + config.cols].tobytes(), config.result_bytes)
                ], {}
    tensor = _tensor(config, one, result.view(np.float32), work)
    packets = weight_stream(tensor.transpose(), config.rows, config.act_bytes)
    words = [word for packet in packets for word in packet_words(packet, config.result_bytes)]
    saturated = 0 if config.rounding == "truncate" else (
        saturated_count(result.view(np.float32), tensor))
    return words, {"mx9_units": int(tensor.is_mx9[::config.rows].sum()),
                   "nan_blocks": tensor.nan_blocks, "saturated": saturated}


def _tensor(config: Config, one: Pass, result: np.ndarray, work) -> MXTensor:
    """Make blocks of results, as the policy says or all of them MX9."""
    if one.output is Output.MX9:
        return quantize(result, MX9, rounding=config.rounding)
    job = replace(work.job, float_format="fp32")
    return operand_a(config, replace(work, job=job, activations=result))


def _beat(config: Config, word: int) -> tuple[int, int]:
    """Give a beat and the bits of it that count."""
    width = config.result_bytes
    keep = word >> 8 * width & (1 << width) - 1
    counts = sum(0xFF << 8 * index for index in range(width) if keep >> index & 1)
    return word, counts | (1 << width + 1) - 1 << 8 * width
