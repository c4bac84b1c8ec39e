"""Random lists of commands, their operands in memory, and what they are to the schedule."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from golden import MXTensor
from golden.floats import narrow
from golden.formats import BLOCK_SIZE, FLOAT_FORMATS
from golden.memory import Command, Memory, Ring
from golden.memory.compute import activations, converted, weights
from golden.memory.descriptor import BYTES, JobFlag
from golden.memory.jobs import FORMAT_CODES, JobKind, Output, Selection
from golden.memory.layouts import Iteration, iterations, longest_packet
from golden.memory.tables import Table
from golden.packing import activation_tiles, weight_stream
from hw.contract import job_codes
from hw.contract.config import Config
from hw.host.packet_order import resident_tiles
from perf.rtl.bus_schedule import ScheduledCommand
from perf.rtl.checked_jobs import tile_flags
from perf.rtl.schedule import ScheduledJob
from simulation.works.golden_ring import machine_of
from simulation.works.random_works import random_floats, random_packed, random_weights

BASE, SIZE = 0x8000_0000, 1 << 21

RING_SIZE = 32

_ALIGNMENT, _BIAS_BYTES = 64, 4

_FLOATS = {Output.FP32: "fp32", Output.FP16: "fp16", Output.BF16: "bf16"}


@dataclass
class DrawnList:
    """A list of commands, and the memory on which it works.

    Parameters
    ----------
    config : Config
    rng : numpy.random.Generator

    Attributes
    ----------
    commands : list of Command
    notify_address : int
    """

    config: Config
    rng: np.random.Generator
    commands: list[Command] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._memory = Memory()
        self._data = self._memory.add(BASE, SIZE)
        self.notify_address = BASE + RING_SIZE * BYTES
        self._free = self.notify_address + _ALIGNMENT

    def bytes(self) -> NDArray[np.uint8]:
        """Return what memory holds before the list, its descriptors at the ring's begin."""
        for number, command in enumerate(self.commands):
            self._memory.write(BASE + number * BYTES, command.pack())
        return self._data.copy()

    def scheduled(self) -> tuple[list[ScheduledCommand], NDArray[np.uint8]]:
        """Describe the list to the schedule; return that, and what memory holds after it."""
        return describe_list(self.config, self.commands, self.bytes(), BASE, (BASE, RING_SIZE),
                             self.notify_address)

    # What a list is made of

    def room(self, size: int, unit: int) -> int:
        """Return an address of so many bytes: a multiple of the unit, often not of more."""
        skipped = int(self.rng.integers(0, _ALIGNMENT // unit)) * unit * int(self.rng.integers(2))
        at = self._free + skipped
        self._free = -(-(at + size) // _ALIGNMENT) * _ALIGNMENT
        if self._free > BASE + SIZE:
            raise ValueError(f"the list needs more than {SIZE} bytes")
        return at

    def _place_rows(self, rows: NDArray, name: str) -> dict[str, int]:
        size = rows.itemsize * rows.shape[1]
        stride = size + rows.itemsize * int(self.rng.integers(0, 20)) * int(self.rng.integers(2))
        at = self.room(stride * len(rows), rows.itemsize)
        for number, row in enumerate(rows):
            self._memory.write(at + number * stride, row.tobytes())
        return {name: at, f"{name}_stride": stride}

    def _place_tiles(self, packets: list[bytes], name: str) -> dict[str, int]:
        stride = -(-max(map(len, packets)) // _ALIGNMENT) * _ALIGNMENT
        stride += _ALIGNMENT * int(self.rng.integers(0, 3)) * int(self.rng.integers(2))
        at = self.room(stride * len(packets), _ALIGNMENT)
        for number, packet in enumerate(packets):
            self._memory.write(at + number * stride, packet)
        return {name: at, f"{name}_stride": stride}

    def _place_activations(self, m: int, k: int, is_packed: bool) -> dict[str, int]:
        config, rng = self.config, self.rng
        if is_packed:
            kind = str(rng.choice(("mx6", "mx9", "mixed")))
            packets = activation_tiles(random_packed(rng, m, k, config.rows, kind), config.rows,
                                       config.act_bytes)
            return {"kind": JobKind.GEMM_PACKED.value, **self._place_tiles(packets, "a")}
        name = str(rng.choice(config.float_formats))
        numbers = narrow(random_floats(rng, m, k), FLOAT_FORMATS[name])
        return {"kind": JobKind.GEMM.value, "format": FORMAT_CODES[name],
                **self._place_rows(numbers, "a"), **self.selection(k)}

    def selection(self, k: int) -> dict[str, int]:
        """Draw which K-blocks of numbers are MX9."""
        blocks = -(-k // BLOCK_SIZE)
        selection = (Selection.HEAD, Selection.HEAD, Selection.THRESHOLD, Selection.TOP)[
            self.rng.integers(4)]
        match selection:
            case Selection.HEAD:
                return {"selection": selection.value, "units": int(self.rng.integers(2))}
            case Selection.TOP:
                return {"selection": selection.value,
                        "units": int(self.rng.integers(blocks + 1))}
        return {"selection": selection.value,
                "threshold": int(np.float32(2 ** self.rng.normal()).view(np.uint32))}

    def _place_weights(self, n: int, k: int) -> dict[str, int]:
        kind = str(self.rng.choice(("mx6", "mx6", "mx9", "mixed")))
        return self._place_tiles(weight_stream(random_weights(self.rng, k, n, kind),
                                               self.config.cols, self.config.weight_bytes), "b")

    def _results(self, m: int, n: int, output: Output) -> dict[str, int]:
        if output not in _FLOATS:
            return {"output": output.value, **self._tiles(m, n, self.config.rows,
                                                          self.config.act_bytes)}
        size = 4 if output is Output.FP32 else 2
        stride = n * size + size * int(self.rng.integers(0, 20)) * int(self.rng.integers(2))
        return {"output": output.value, "c_stride": stride, "c": self.room(m * stride, size)}

    def _tiles(self, lines: int, k: int, of_tile: int, beat_bytes: int) -> dict[str, int]:
        """Make room for packed tiles of any precision."""
        stride = -(-longest_packet(of_tile, k, beat_bytes) // _ALIGNMENT) * _ALIGNMENT
        return {"c_stride": stride, "c": self.room(-(-lines // of_tile) * stride, _ALIGNMENT)}

    def convert(self, n: int, k: int, *, is_transposed: bool = False, **values: int) -> Command:
        """Append a conversion; fields that are given are not drawn."""
        name = str(self.rng.choice(self.config.float_formats))
        shape = (k, n) if is_transposed else (n, k)
        numbers = narrow(random_floats(self.rng, *shape), FLOAT_FORMATS[name])
        kind = JobKind.CONVERT_TRANSPOSED if is_transposed else JobKind.CONVERT
        fields = {"kind": kind.value, "n": n, "k": k, "count_0": 1, "count_1": 1,
                  "format": FORMAT_CODES[name], **self._place_rows(numbers, "a"),
                  **self.selection(k),
                  **self._tiles(n, k, self.config.cols, self.config.weight_bytes)}
        self.commands.append(Command(**(fields | values)))
        return self.commands[-1]

    def gemm(self, m: int, n: int, k: int, *, is_packed: bool = False,
             output: Output = Output.FP32, has_bias: bool = False, **values: int) -> Command:
        """Append a GEMM; fields that are given are not drawn."""
        rng, fields = self.rng, {"m": m, "n": n, "k": k, "count_0": 1, "count_1": 1}
        fields["tiles"] = int(rng.integers(1, resident_tiles(self.config, m, k) + 1))
        if "a" not in values:
            fields |= self._place_activations(m, k, is_packed)
        if "b" not in values:
            fields |= self._place_weights(n, k)
        fields |= self._results(m, n, output)
        if has_bias:
            bias = rng.standard_normal((1, n)).astype(np.float32)
            fields |= {"flags": JobFlag.BIAS.value, "bias": self.room(bias.nbytes, _BIAS_BYTES)}
            self._memory.write(fields["bias"], bias.tobytes())
        self.commands.append(Command(**(fields | values)))
        return self.commands[-1]


def describe_list(
    config: Config, commands: Sequence[Command], before: NDArray[np.uint8], base: int,
    ring: tuple[int, int], notify_address: int = 0,
) -> tuple[list[ScheduledCommand], NDArray[np.uint8]]:
    """Describe commands to the schedule, by what golden's ring makes of a memory.

    Parameters
    ----------
    config : Config
    commands : sequence of Command
    before : ndarray of uint8
        What memory holds before.
    base : int
        Address of its first byte.
    ring : (int, int)
        Address of the ring, and its descriptors.
    notify_address : int

    Returns
    -------
    list of ScheduledCommand
    ndarray of uint8
        What memory holds after them.

    Raises
    ------
    ValueError
        If a command has a fault.
    """
    memory, machine, table = Memory(), machine_of(config), Table()
    data = memory.add(base, len(before))
    data[:] = before

    def read(_: str, address: int, size: int) -> bytes:
        return memory.read(address, size)

    def job_at(command: Command, at: Iteration) -> ScheduledJob:
        if command.converts:
            made = converted(machine, command, table, at, read)
            return schedule_job(config, command, made.transpose())
        return schedule_job(config, command, activations(machine, command, table, at, read),
                            weights(machine, command, at, read).transpose())

    golden_ring = Ring(machine, memory, *ring, window=(base, base + len(before)),
                       notify_address=notify_address)
    scheduled = []
    for number, command in enumerate(commands):
        scheduled.append(ScheduledCommand(
            command, tuple(job_at(command, at) for at in iterations(command))))
        golden_ring.submit([command])
        if golden_ring.fault:
            raise ValueError(f"command {number} has the fault {golden_ring.fault.name} "
                             f"{golden_ring.refusal}: {command}")
    return scheduled, data


def schedule_job(config: Config, command: Command, a: MXTensor,
                 b: MXTensor | None = None) -> ScheduledJob:
    """Describe an iteration to the schedule.

    Parameters
    ----------
    config : Config
    command : Command
    a : MXTensor
        A; of a conversion its results, a line for each column.
    b : MXTensor, optional
        Of a GEMM: B, a line for each column.
    """
    kind, blocks = JobKind(command.kind), -(-command.k // BLOCK_SIZE)
    flags = {}
    flags["act_mx9"], residual = tile_flags(a, config.cols if kind.converts else config.rows)
    if b is not None:
        flags["act_residual"] = residual
        flags["weight_mx9"], flags["weight_residual"] = tile_flags(b, config.cols)
    names = {code: name for name, code in FORMAT_CODES.items()}
    return ScheduledJob(
        kind=job_codes.JobKind(kind.value), m=max(1, command.m), n=command.n, k=command.k,
        tiles=max(1, command.tiles), float_format=names[command.format],
        output=job_codes.Output(command.output), bias=bool(command.flags & JobFlag.BIAS),
        searches=(kind is not JobKind.GEMM_PACKED
                  and Selection(command.selection) is Selection.TOP and 0 < command.units < blocks),
        **flags)


SIZES = ((24, 24, 100), (8, 60, 256), (60, 12, 60), (30, 60, 16))
"""Most rows, columns and channels of a job: mixed, long sums, many tiles, short sums."""


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
            name = _FLOATS.get(Output(source.output))
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
                each.value for each in _FLOATS}:
            values |= self._batches(m, n, output)
        command = drawn.gemm(m, n, k, is_packed=is_packed, output=Output(output.value),
                             has_bias=has_bias, **values)
        if command.count_0 * command.count_1 == 1:
            self._results.append((number, command))

    def _batches(self, m: int, n: int, output: Output) -> dict[str, int]:
        """Draw both batch levels: A and B shared, results behind each other."""
        inner, outer = (int(each) for each in self.drawn.rng.integers(1, 4, 2))
        size = 4 if output.value == Output.FP32.value else 2
        stride = n * size
        return {"count_0": inner, "count_1": outer, "c_stride": stride,
                "c": self.drawn.room(m * stride * inner * outer, size), "c_step_0": m * stride,
                "c_step_1": m * stride * inner}


def draw_list(config: Config, rng: np.random.Generator) -> DrawnList:
    """Draw a list of one to eight commands, of which some read what others write."""
    drawn = DrawnList(config, rng)
    drawer = Drawer(drawn)
    for _ in range(int(rng.integers(1, 9))):
        drawer.draw()
    drawn.commands[-1] = Command(**(drawn.commands[-1].describe() | {"interrupt": 1}))
    return drawn
