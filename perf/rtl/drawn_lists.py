"""Random lists of commands, their operands in memory, and what they are to the schedule."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from golden.floats import narrow
from golden.formats import BLOCK_SIZE, FLOAT_FORMATS
from golden.memory import Command, Memory
from golden.memory.descriptor import BYTES, JobFlag
from golden.memory.jobs import FORMAT_CODES, JobKind, Output, Selection
from golden.memory.layouts import longest_packet
from golden.packing import activation_tiles, weight_stream
from hw.contract.config import Config
from hw.host.packet_order import resident_tiles
from perf.rtl.bus_schedule import ScheduledCommand
from perf.rtl.described_lists import describe_list
from simulation.works.random_works import random_floats, random_packed, random_weights

BASE, SIZE = 0x8000_0000, 1 << 21

RING_SIZE = 32

_ALIGNMENT, _BIAS_BYTES = 64, 4

FLOATS = {Output.FP32: "fp32", Output.FP16: "fp16", Output.BF16: "bf16"}


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

    def place(self, numbers: NDArray) -> int:
        """Place numbers in FP32; return where."""
        numbers = numbers.astype(np.float32)
        at = self.room(numbers.nbytes, _BIAS_BYTES)
        self._memory.write(at, numbers.tobytes())
        return at

    def place_rows(self, rows: NDArray, name: str) -> dict[str, int]:
        """Place rows, at any stride; return the fields that say where."""
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
                **self.place_rows(numbers, "a"), **self.selection(k)}

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

    def results(self, m: int, n: int, output: Output) -> dict[str, int]:
        """Make room for results; return the fields that say where."""
        if output not in FLOATS:
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
                  "format": FORMAT_CODES[name], **self.place_rows(numbers, "a"),
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
        fields |= self.results(m, n, output)
        if has_bias:
            fields |= {"flags": JobFlag.BIAS.value,
                       "bias": self.place(rng.standard_normal((1, n)))}
        self.commands.append(Command(**(fields | values)))
        return self.commands[-1]

    def tag(self, columns: int, *, is_of_results: bool = False, **values: int) -> Command:
        """Let the last command load static tags, of so many columns, and use them; return it."""
        tags = np.packbits(self.rng.random(-(-columns // BLOCK_SIZE)) < 0.4, bitorder="little")
        fields = {"loads_tags": 1, "tags": self.room(len(tags), _ALIGNMENT),
                  "table": int(self.rng.integers(self.config.tables))}
        if not is_of_results:
            fields |= {"selection": Selection.STATIC.value, "units": 0, "threshold": 0}
        self._memory.write(fields["tags"], tags.tobytes())
        self.commands[-1] = Command(**(self.commands[-1].describe() | fields | values))
        return self.commands[-1]
