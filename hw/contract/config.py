"""Parameters of one machine, checked, with every width that follows from them."""

from dataclasses import dataclass, fields

from golden.formats import BLOCK_SIZE, FLOAT_FORMATS, FP32

from .job_codes import ROUNDINGS, Output
from .parameter import is_power_of_two, parameter, parameters_of

DIMENSION_BITS = 32
"""Width of a job's M and N: all that a register holds."""

PRODUCT_BITS = 15
"""Width of a signed block product D: |D| <= 16 * 15 * 15 * 4 = 14400 < 2^14."""

MOST_CELL_STAGES = 3
"""Most pipeline registers that a cell can have before its accumulator."""

JOBS_UNDER_WAY = 4
"""Most jobs that are dispatched and have not ended."""

MOST_BLOCKS = 1 << 24
"""Deepest memory: 32 times what the largest K and array need, and far from any width's end."""

PAGE_BYTES = 4096
"""No burst of a bus crosses a multiple of it."""

MOST_BEATS = 4
"""Beats of one MX9 x MX9 block product."""

SHORT_PASS = 5
"""Beats of a pair of tiles in MX6 at K = 72, the channels of a head of DiT-XL/2."""

MOST_CHOSEN_LANES = 64
"""Results that leave an array of 16x16 cells in a cycle: more are only made where asked for."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Build parameters of an accelerator.

    Each is declared once, here: the command line, the registers that show it and the machines of
    `perf` follow from `PARAMETERS`.
    """

    rows: int = parameter(8, "Rows R of the array.", least=1, most=128)
    cols: int = parameter(8, "Columns C of the array.", least=1, most=128)
    acc_width: int = parameter(40, "Bits of the anchored accumulator.", most=62)
    k_max: int = parameter(6144, "Largest K of a job.", least=1, most=65535)
    float_formats: tuple[str, ...] = parameter(
        ("fp32", "fp16", "bf16"), "Activation formats that the machine reads.",
        choices=tuple(FLOAT_FORMATS))
    act_bytes: int = parameter(
        32, "Bytes per beat of s_axis_act.", chosen="32; beside a bus its words, a block at most")
    blocks_per_cycle: int = parameter(
        1, "Most blocks of activations in a beat: memory is read and written so, but the engines "
        "convert one.", least=1, most=4, power_of_two=True)
    weight_bytes: int = parameter(
        32, "Bytes per beat of s_axis_wgt.", least=2, most=1024, power_of_two=True,
        chosen="4 x cols, to a power of two; beside a bus its words")
    act_depth: int = parameter(
        2304, "Blocks of A per array row that fit on chip.", most=MOST_BLOCKS,
        chosen="6 x k_max / 16")
    weight_depth: int = parameter(
        768, "Blocks of B per array column that fit on chip.", most=MOST_BLOCKS,
        chosen="2 x k_max / 16")
    stage_depth: int = parameter(
        3842, "Blocks that wait on chip for their precision.", most=MOST_BLOCKS,
        chosen="the larger of rows and cols x k_max / 16, and some")
    tile_slots: int = parameter(
        32, "Most token tiles on chip at a time.", least=2, most=256, power_of_two=True)
    rounding: str = parameter(
        "half_even", "How activations are rounded to MX.", choices=ROUNDINGS)
    cell_stages: int = parameter(
        1, "Pipeline registers of a cell before its accumulator.", least=0, most=MOST_CELL_STAGES)
    drain_lanes: int = parameter(
        16, "Results that leave the array per cycle: cols times 1, 2, 4, ... up to all rows.",
        chosen="a tile in five cycles, but 64 or cols at most; beside a bus cols, unless there are "
        "vector_lanes")
    # More than cols pays where K is so short that a tile takes fewer beats than there are rows.
    tables: int = parameter(
        2, "Calibration tables: channel order and static tags.", least=1, most=16,
        power_of_two=True)
    bus_bytes: int = parameter(
        0, "Bytes of a word of m_axi, which a command ring works on: 8, 16, 32 or 64; 0: streams, "
        "and no bus.",
        least=0, most=64)
    address_bits: int = parameter(40, "Bits of an address of m_axi.", least=32, most=64)
    burst_beats: int = parameter(16, "Most words of a burst.", least=1, most=64, power_of_two=True)
    read_depth: int = parameter(
        128, "Words of activations that are read ahead, and half of those of weights: latency of "
        "the bus, and a burst.",
        most=MOST_BLOCKS)
    outstanding: int = parameter(
        128, "Most reads, and most writes, that the bus owes an answer.", least=1, most=256)
    bus_clock: int = parameter(
        0, "1: m_axi has a clock of its own, m_axi_aclk; 0: it has the machine's.", least=0, most=1)
    vector_lanes: int = parameter(
        0, "Numbers that the vector unit takes per cycle: 1, 2, 4 or 8; 0: there is none.",
        least=0, most=8)

    @classmethod
    def sized(cls, *, k_max=6144, rows=8, cols=8, **others):
        """Make a configuration whose streams and memories suit its array.

        Parameters
        ----------
        k_max, rows, cols : int
        **others
            Fields of `Config`; those left out or None are chosen: a weight stream that keeps the
            array busy from four resident token tiles up, and nearly so with three; room for six
            token tiles and two column tiles of the largest K; a drain that keeps up with K = 72,
            five beats, where 64 results in a cycle are enough for that. Beside a bus, to which a
            row goes in a cycle, one row drains, unless a vector unit makes it less. Streams are as
            wide as a bus, but activations come `blocks_per_cycle` blocks at a time at most.

        Raises
        ------
        TypeError, ValueError
            If there is no such parameter, or no such machine.
        """
        given = {name: value for name, value in others.items() if value is not None}
        for name, value in {"rows": rows, "cols": cols, "k_max": k_max, **given}.items():
            if name not in PARAMETERS:
                raise TypeError(f"a machine has no parameter {name!r}; it has "
                                f"{', '.join(PARAMETERS)}")
            PARAMETERS[name].check(value)
        blocks = -(-k_max // BLOCK_SIZE)
        bus_bytes = given.get("bus_bytes", 0)
        chosen = {**({"act_bytes": _act_bytes(bus_bytes, given)} if bus_bytes else {}),
                  "weight_bytes": bus_bytes or max(4, 1 << (4 * cols - 1).bit_length()),
                  "act_depth": 6 * blocks, "weight_depth": 2 * blocks,
                  "stage_depth": max(rows, cols) * blocks + 2 * blocks + 2,
                  "drain_lanes": cols if bus_bytes and not given.get("vector_lanes")
                  else _drain_lanes(rows, cols)}
        return cls(rows=rows, cols=cols, k_max=k_max, **(chosen | given))

    def __post_init__(self):
        if self.bus_bytes in range(1, 64) and self.bus_bytes not in (8, 16, 32):
            # Before the streams, which are as wide.
            raise ValueError(f"bus_bytes must be 8, 16, 32 or 64, or 0 for none, "
                             f"not {self.bus_bytes}")
        for name, each in PARAMETERS.items():
            each.check(getattr(self, name))
        if self.fraction_bits < 0:
            raise ValueError(
                f"acc_width={self.acc_width} is too narrow for k_max={self.k_max}: a product takes "
                f"{PRODUCT_BITS} bits and the sum {self.acc_width - self.fraction_bits}; "
                f"use acc_width >= {self.acc_width - self.fraction_bits} or a smaller k_max")
        self._check_streams()
        self._check_memories()
        if self.bus_bytes:
            self._check_bus()
        if self.vector_lanes:
            self._check_vector()
        for name in BUS_PARAMETERS:
            if not self.bus_bytes and getattr(self, name) != PARAMETERS[name].default:
                raise ValueError(f"{name}={getattr(self, name)} is for a machine with a bus: give "
                                 "it bus_bytes of 8 to 64, or leave it out")
        if self.drain_lanes % self.cols or not is_power_of_two(self.drain_rows) or (
                self.drain_rows >= 2 * self.rows):
            raise ValueError(
                f"drain_lanes must be cols={self.cols} times a power of two that does not exceed "
                f"rows={self.rows}, rounded up, not {self.drain_lanes}")

    def _check_streams(self):
        smallest, largest = self.element_bytes
        most = self.blocks_per_cycle * BLOCK_SIZE * smallest
        if not is_power_of_two(self.act_bytes) or not largest <= self.act_bytes <= most:
            raise ValueError(
                f"act_bytes must be a power of two from one element ({largest}) to "
                f"{_count(self.blocks_per_cycle, 'block')} of the smallest format ({most}), "
                f"not {self.act_bytes}")

    def _check_bus(self):
        if self.weight_bytes != self.bus_bytes:
            raise ValueError(f"weight_bytes={self.weight_bytes} must be bus_bytes="
                             f"{self.bus_bytes}: packed weights come as words of the bus")
        if self.act_bytes > self.bus_bytes:
            raise ValueError(f"act_bytes={self.act_bytes} must not be more than bus_bytes="
                             f"{self.bus_bytes}, whose words are cut into beats")
        if self.burst_beats * self.bus_bytes > PAGE_BYTES:
            raise ValueError(f"burst_beats={self.burst_beats} words of {self.bus_bytes} bytes are "
                             f"more than {PAGE_BYTES}, which no burst crosses")
        if self.read_depth < self.burst_beats:
            raise ValueError(f"read_depth={self.read_depth} has no room for a burst of "
                             f"burst_beats={self.burst_beats}")

    def _check_vector(self):
        lanes = self.vector_lanes
        if not is_power_of_two(lanes):
            raise ValueError(f"vector_lanes must be 1, 2, 4 or 8, or 0 for none, not {lanes}")
        if not self.bus_bytes:
            raise ValueError(f"vector_lanes={lanes} is for a machine with a bus: give it bus_bytes "
                             "of 8 to 64, or leave it out")
        if FP32.width // 8 * lanes > self.bus_bytes:
            raise ValueError(f"vector_lanes={lanes} numbers of {FP32.width // 8} bytes must not be "
                             f"more than a word of bus_bytes={self.bus_bytes}")
        if self.cols % lanes:
            raise ValueError(f"vector_lanes={lanes} must divide cols={self.cols}: results leave "
                             "in beats of as many numbers")
        if self.fraction_bits < 1:
            raise ValueError(f"vector_lanes={lanes}: the sums of rows need an accumulator with "
                             f"bits below a product's unit: use acc_width >= {self.acc_width + 1}")
        if FP32.name not in self.float_formats:
            raise ValueError(f"vector_lanes={lanes}: what a vector unit computes is read as "
                             f"{FP32.name}, which float_formats must have")

    def _check_memories(self):
        for name, least in (("act_depth", self.k_blocks_max), ("weight_depth", self.k_blocks_max),
                            ("stage_depth", self.tile_rows_max * self.k_blocks_max + 2)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}={getattr(self, name)} cannot hold one tile of "
                                 f"k_max={self.k_max}: at least {least} blocks are needed")

    @property
    def k_blocks_max(self):
        """How many blocks cover K = k_max."""
        return -(-self.k_max // BLOCK_SIZE)

    @property
    def fraction_bits(self):
        """F, the accumulator's bits below a block product's unit."""
        beats = MOST_BEATS * self.k_blocks_max
        return self.acc_width - PRODUCT_BITS - (beats - 1).bit_length()

    @property
    def drop_width(self):
        """Bits of one operand's part of the shift, saturated where all is rounded away."""
        return (self.fraction_bits + PRODUCT_BITS).bit_length()

    @property
    def element_bytes(self):
        """Bytes of the smallest and of the largest activation element."""
        widths = [FLOAT_FORMATS[name].width // 8 for name in self.float_formats]
        return min(widths), max(widths)

    @property
    def tile_rows_max(self):
        """Rows of the largest tile on the way to its conversion: R of a GEMM, C of a CONVERT."""
        return max(self.rows, self.cols)

    @property
    def drain_rows(self):
        """Array rows whose results leave the array in one cycle."""
        return self.drain_lanes // self.cols

    @property
    def drain_cycles(self):
        """Cycles in which a tile's results leave the array."""
        return -(-self.rows // self.drain_rows)

    @property
    def row_bytes(self):
        """Bytes on ``m_axis_out`` of one array row of FP32 results, to a power of two."""
        return 1 << (4 * self.cols - 1).bit_length()

    @property
    def result_bytes(self):
        """Bytes per beat of ``m_axis_out``: what drains in a cycle, or a beat of packed blocks."""
        return max(self.row_bytes * self.drain_rows, self.act_bytes, self.weight_bytes)

    @property
    def packs_results(self):
        """Whether GEMM results may leave as MX: columns must divide or be divided by a block."""
        return BLOCK_SIZE % self.cols == 0 or self.cols % BLOCK_SIZE == 0

    @property
    def outputs(self):
        """Formats in which results may leave."""
        return [output for output in Output
                if self.packs_results or output not in (Output.MX6, Output.MX9)]

    @property
    def weight_slots(self):
        """Column tiles that the weight memory tells apart."""
        return 4

    @property
    def result_depth(self):
        """Groups of `drain_rows` rows of results that wait for ``m_axis_out``.

        One tile leaves while the next arrives, and 16 more cover the way there and back, which is
        longer with a vector unit.
        """
        return 2 * self.drain_cycles + (20 if self.vector_lanes else 16)

    def describe(self):
        """Give the configuration as one line, as it stands in the Verilog's header.

        Without a bus its parameters are left out, and without a vector unit those of it.
        """
        absent = {*(() if self.bus_bytes else BUS_PARAMETERS),
                  *(() if self.vector_lanes else VECTOR_PARAMETERS)}
        values = {field.name: getattr(self, field.name) for field in fields(self)
                  if field.name not in absent}
        values["float_formats"] = ",".join(self.float_formats)
        return " ".join(f"{name}={value}" for name, value in values.items())


def _drain_lanes(rows, cols):
    """Choose how many results leave the array in a cycle."""
    lanes = cols
    while SHORT_PASS * lanes < rows * cols and 2 * lanes <= MOST_CHOSEN_LANES:
        lanes *= 2
    return lanes


def _act_bytes(bus_bytes, given):
    """Choose the beats of activations beside a bus: its words, or blocks that are shorter."""
    smallest = min(FLOAT_FORMATS[name].width // 8
                   for name in given.get("float_formats", Config.float_formats))
    return min(bus_bytes, given.get("blocks_per_cycle", 1) * BLOCK_SIZE * smallest)


def _count(number, noun):
    return f"one {noun}" if number == 1 else f"{number} {noun}s"


PARAMETERS = parameters_of(Config)
"""What a machine is built from, by name."""

BUS_PARAMETERS = ("bus_bytes", "address_bits", "burst_beats", "read_depth", "outstanding",
                  "bus_clock")
"""Those of a machine that works on memory."""

VECTOR_PARAMETERS = ("vector_lanes",)
"""Those of a machine that has a vector unit."""
