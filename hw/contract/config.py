"""Parameters of one machine, checked, with every width that follows from them."""

from dataclasses import dataclass, fields

from golden.formats import BLOCK_SIZE, FLOAT_FORMATS

from .job_codes import ROUNDINGS

DIMENSION_BITS = 32
"""Width of a job's M and N: all that a register holds."""

PRODUCT_BITS = 15
"""Width of a signed block product D: |D| <= 16 * 15 * 15 * 4 = 14400 < 2^14."""

MOST_CELL_STAGES = 3
"""Of the pipeline in a cell."""

MOST_BEATS = 4
"""Beats of one MX9 x MX9 block product."""


def is_power_of_two(value):
    """Tell whether an integer is a positive power of two."""
    return value > 0 and value & (value - 1) == 0


@dataclass(frozen=True, kw_only=True)
class Config:
    """Build parameters of an accelerator.

    Attributes
    ----------
    rows, cols : int
        R x C cells, 16 multipliers each: rows of A and columns of B computed together.
    acc_width : int
        Bits of the anchored accumulator.
    k_max : int
        Largest K of a job.
    float_formats : tuple of str
        Activation formats that the machine reads: of "fp32", "fp16", "bf16".
    act_bytes, weight_bytes : int
        Bytes per beat of ``s_axis_act`` and ``s_axis_wgt``; powers of two.
    act_depth : int
        Blocks that each array row's operand memory holds: resident and incoming token tiles.
    weight_depth : int
        Blocks that each array column's operand memory holds: current and incoming tile.
    stage_depth : int
        Aligned blocks that wait for their precision tags; at least one token tile.
    tile_slots : int
        Most token tiles that the operand memory tells apart; a power of two.
    rounding : str
        "half_even", or "truncate" for comparison with converters that do.
    cell_stages : int
        Pipeline registers of a cell before its accumulator, 0 to 3: see `hw.array.mac_cell`.
    drain_lanes : int
        Results normalized per cycle: `cols` times 1, 2, 4, … up to all rows. More than `cols` pays
        where K is so short that a tile takes fewer beats than the array has rows.
    tables : int
        Calibration tables (channel order and static tags) on chip; a power of two.
    """

    rows: int = 8
    cols: int = 8
    acc_width: int = 40
    k_max: int = 6144
    float_formats: tuple[str, ...] = ("fp32", "fp16", "bf16")
    act_bytes: int = 32
    weight_bytes: int = 32
    act_depth: int = 1152
    weight_depth: int = 768
    stage_depth: int = 3842
    tile_slots: int = 32
    rounding: str = "half_even"
    cell_stages: int = 1
    drain_lanes: int = 8
    tables: int = 2

    @classmethod
    def sized(cls, *, k_max=6144, rows=8, cols=8, **others):
        """Make a configuration whose streams and memories suit its array.

        Parameters
        ----------
        k_max, rows, cols : int
        **others
            Fields of `Config`; those left out or None are chosen: a weight stream that keeps the
            array busy from four resident token tiles up, and nearly so with three; room for three
            token tiles and two column tiles of the largest K.
        """
        blocks = -(-k_max // BLOCK_SIZE)
        chosen = {"weight_bytes": max(4, 1 << (4 * cols - 1).bit_length()),
                  "act_depth": 3 * blocks, "weight_depth": 2 * blocks,
                  "stage_depth": max(rows, cols) * blocks + 2 * blocks + 2,
                  "drain_lanes": cols}
        given = {name: value for name, value in others.items() if value is not None}
        return cls(rows=rows, cols=cols, k_max=k_max, **(chosen | given))

    def __post_init__(self):
        for name in ("rows", "cols", "acc_width", "k_max", "act_bytes", "weight_bytes", "act_depth",
                     "weight_depth", "stage_depth", "tile_slots", "cell_stages", "drain_lanes",
                     "tables"):
            if not isinstance(getattr(self, name), int):
                raise TypeError(f"{name} must be an integer, not {getattr(self, name)!r}")
        if not (1 <= self.rows <= 128 and 1 <= self.cols <= 128):
            raise ValueError(f"rows and cols must be 1 to 128, not {self.rows} x {self.cols}")
        if not 1 <= self.k_max <= 65535:
            raise ValueError(f"k_max must be 1 to 65535, not {self.k_max}")
        if self.fraction_bits < 0:
            raise ValueError(
                f"acc_width={self.acc_width} is too narrow for k_max={self.k_max}: a product takes "
                f"{PRODUCT_BITS} bits and the sum {self.acc_width - self.fraction_bits}; "
                f"use acc_width >= {self.acc_width - self.fraction_bits} or a smaller k_max")
        if self.acc_width > 62:
            raise ValueError(f"acc_width must be at most 62, not {self.acc_width}")
        self._check_streams()
        self._check_memories()
        if self.rounding not in ROUNDINGS:
            raise ValueError(f"rounding must be {' or '.join(ROUNDINGS)}, not {self.rounding!r}")
        if not 0 <= self.cell_stages <= MOST_CELL_STAGES:
            raise ValueError(f"cell_stages must be 0 to {MOST_CELL_STAGES}, not {self.cell_stages}")
        if self.drain_lanes % self.cols or not is_power_of_two(self.drain_rows) or (
                self.drain_rows >= 2 * self.rows):
            raise ValueError(
                f"drain_lanes must be cols={self.cols} times a power of two that does not exceed "
                f"rows={self.rows}, rounded up, not {self.drain_lanes}")

    def _check_streams(self):
        unknown = [name for name in self.float_formats if name not in FLOAT_FORMATS]
        if unknown or not self.float_formats:
            raise ValueError(f"float_formats must be some of {', '.join(FLOAT_FORMATS)}, "
                             f"not {', '.join(unknown) or 'none'}")
        if len(set(self.float_formats)) < len(self.float_formats):
            raise ValueError(f"float_formats names one twice: {', '.join(self.float_formats)}")
        smallest, largest = self.element_bytes
        if not is_power_of_two(self.act_bytes) or not (
                largest <= self.act_bytes <= BLOCK_SIZE * smallest):
            raise ValueError(
                f"act_bytes must be a power of two from one element ({largest}) to one block of "
                f"the smallest format ({BLOCK_SIZE * smallest}), not {self.act_bytes}")
        if not is_power_of_two(self.weight_bytes) or not 2 <= self.weight_bytes <= 1024:
            raise ValueError(
                f"weight_bytes must be a power of two from 2 to 1024, not {self.weight_bytes}")

    def _check_memories(self):
        for name, least in (("act_depth", self.k_blocks_max), ("weight_depth", self.k_blocks_max),
                            ("stage_depth", self.tile_rows_max * self.k_blocks_max + 2)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}={getattr(self, name)} cannot hold one tile of "
                                 f"k_max={self.k_max}: at least {least} blocks are needed")
        if not is_power_of_two(self.tile_slots) or not 2 <= self.tile_slots <= 256:
            raise ValueError(f"tile_slots must be a power of two from 2 to 256, "
                             f"not {self.tile_slots}")
        if not is_power_of_two(self.tables) or self.tables > 16:
            raise ValueError(f"tables must be a power of two from 1 to 16, not {self.tables}")

    @property
    def k_blocks_max(self):
        """Blocks that cover K = k_max."""
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
    def weight_slots(self):
        """Column tiles that the weight memory tells apart."""
        return 4

    @property
    def result_depth(self):
        """Groups of `drain_rows` rows of results that wait for ``m_axis_out``.

        One tile leaves while the next arrives, and 16 more cover the way there and back.
        """
        return 2 * self.drain_cycles + 16

    def describe(self):
        """Give the configuration as one line, as it stands in the Verilog's header."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values["float_formats"] = ",".join(self.float_formats)
        return " ".join(f"{name}={value}" for name, value in values.items())
