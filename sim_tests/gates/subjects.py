"""What is mapped to gates, how, and which benches it has to pass."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from types import MappingProxyType

from amaranth.lib.wiring import Component

from golden.accumulator import fraction_bits
from hw.accelerator import Accelerator
from hw.activations.outlier_detector import OutlierDetector
from hw.array.mac_cell import MACCell
from hw.blocks.mx_converter import MXConverter
from hw.contract.config import PRODUCT_BITS
from perf.rtl.ppa.recipes import AREA_RECIPES, SPEED_RECIPES, SynthesisRecipe
from perf.rtl.ppa.units import SMALL, UNITS
from sim_tests.array import test_mac_cell
from simulation.build import TOP
from simulation.machines import MATRIX

FULL_ADDERS, SMALLEST, FASTEST = AREA_RECIPES[2], AREA_RECIPES[0], SPEED_RECIPES[0]

MACHINE = "2x2"


@dataclass(frozen=True)
class Run:
    """The tests of a module, run on a netlist.

    Attributes
    ----------
    tests : str
        Module that holds them.
    only : str, optional
        Regular expression on their names.
    parameters : Mapping
        What they are handed.
    """

    tests: str
    only: str | None = None
    parameters: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Subject:
    """A component, the recipe by which it is mapped, and its benches.

    Attributes
    ----------
    name : str
    make : callable
        Returns the component.
    recipe : SynthesisRecipe
    runs : tuple of Run
    top : str
        Verilog name.
    repeated : tuple of str
        Modules that are mapped once and instantiated.
    is_machine : bool
        A whole accelerator, whose memories hold garbage after every reset.
    """

    name: str
    make: Callable[[], Component]
    recipe: SynthesisRecipe
    runs: tuple[Run, ...]
    top: str = "gates"
    repeated: tuple[str, ...] = ()
    is_machine: bool = False


_WIDTHS = "default"
"""As the bench of the cell calls them."""


def _cell() -> MACCell:
    acc_width, k_max, stages = test_mac_cell.WIDTHS[_WIDTHS]
    fraction = fraction_bits(acc_width, k_max)
    return MACCell(acc_width=acc_width, fraction_bits=fraction, cell_stages=stages,
                   drop_width=(fraction + PRODUCT_BITS).bit_length())


_CELL = Run(test_mac_cell.__name__, r"\.cell_", {"widths": _WIDTHS})
_STAGES = 2  # of the converter, each a cycle
_CONVERTER = Run("sim_tests.blocks.test_mx_converter", r"\.converter_",
                 {"rounding": "half_even", "latency": _STAGES})
_DETECTOR = {"k_blocks_max": 9, "radix_bits": 4}
_PARAMETERS = asdict(MATRIX[MACHINE])

SUBJECTS = {each.name: each for each in (
    Subject("cell_area", _cell, FULL_ADDERS, (_CELL,)),
    Subject("cell_speed", _cell, FASTEST, (_CELL,)),
    Subject("converter_area", partial(MXConverter, stages=_STAGES), SMALLEST, (_CONVERTER,)),
    Subject("converter_speed", partial(MXConverter, stages=_STAGES), FASTEST, (_CONVERTER,)),
    Subject("detector_area", partial(OutlierDetector, **_DETECTOR), SMALLEST,
            (Run("sim_tests.activations.test_outlier_detector", None, _DETECTOR),)),
    Subject(f"accelerator_{MACHINE}", partial(Accelerator, MATRIX[MACHINE]), FULL_ADDERS,
            tuple(Run(f"sim_tests.accelerator.test_{name}", None, _PARAMETERS)
                  for name in ("accelerator", "faults", "abort")),
            TOP, next(unit.repeated for unit in UNITS if unit.configuration == SMALL.describe()
                      and unit.name.startswith("accelerator")), is_machine=True),
)}
"""By name. The smallest netlists are made of full adders where there are sums; the fastest are
buffered and sized, and look least like the source."""
