"""What of a machine decides the bytes that its commands write."""

from dataclasses import dataclass, field

from golden.accumulator import DEFAULT_ACC_WIDTH, DEFAULT_K_MAX
from golden.arguments import whole
from golden.formats import BLOCK_SIZE, FLOAT_FORMATS
from golden.memory.jobs import Output
from golden.mx import check_rounding
from golden.precision import MIXED_ROUNDINGS


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine as commands see it; each field is what the build parameter of that name says.

    Attributes
    ----------
    rows, cols : int
    act_bytes, weight_bytes : int
        Of a beat: packed layouts fill their parts up to whole beats.
    acc_width, k_max : int
    act_depth, tile_slots : int
        What limits the token tiles of a job; the former 6 x k_max / 16 unless it is given.
    tables : int
    rounding : str
    float_formats : tuple of str
    outputs : tuple of Output
    address_bits : int
        Of the bus.
    has_vector : bool
        It has a vector unit.
    """

    rows: int = 8
    cols: int = 8
    act_bytes: int = 32
    weight_bytes: int = 32
    acc_width: int = DEFAULT_ACC_WIDTH
    k_max: int = DEFAULT_K_MAX
    act_depth: int = 0
    tile_slots: int = 32
    tables: int = 2
    rounding: str = "half_even"
    float_formats: tuple[str, ...] = tuple(FLOAT_FORMATS)
    outputs: tuple[Output, ...] = field(default=tuple(Output))
    address_bits: int = 40
    has_vector: bool = False

    def __post_init__(self) -> None:
        for name in ("rows", "cols", "act_bytes", "weight_bytes", "acc_width", "k_max",
                     "tile_slots", "tables", "address_bits"):
            whole(getattr(self, name), name, least=1)
        if not self.act_depth:
            object.__setattr__(self, "act_depth", 6 * self.k_blocks_max)
        check_rounding(self.rounding, choices=MIXED_ROUNDINGS)

    @property
    def k_blocks_max(self) -> int:
        """Blocks that cover the largest K."""
        return -(-self.k_max // BLOCK_SIZE)
