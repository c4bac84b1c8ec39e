"""What is measured: the machine's parts, and the references beside them."""

from functools import partial

from golden.formats import BLOCK_SIZE
from golden.vector.formats import MOST_COLUMNS
from hw.accelerator import Accelerator
from hw.activations.outlier_detector import OutlierDetector
from hw.activations.reorder import Reorder
from hw.array.dot_product import DotProduct
from hw.array.mac_array import MACArray
from hw.array.mac_cell import MACCell
from hw.blocks.mx_converter import MXConverter
from hw.contract.config import MOST_CELL_STAGES, Config
from hw.control.controller import Controller
from hw.memory_machine import MemoryMachine
from hw.registers.csr import CSR
from hw.registers.map import RING_REGISTERS
from hw.results.normalizer import Normalizer
from hw.results.result_path import ResultPath
from hw.results.result_writer import ResultWriter
from hw.vector.functions import TABLES, Functions
from hw.vector.lane import Lane
from hw.vector.product import Product
from hw.vector.reciprocal import Reciprocal
from hw.vector.row_extremes import RowExtremes
from hw.vector.row_mean import RowMean
from hw.vector.row_scale import RowScale
from hw.vector.row_sum import RowSum
from hw.vector.row_sums import RowSums
from hw.vector.row_totals import RowTotals
from hw.vector.vector_unit import VectorUnit

from .references import REFERENCES
from .unit import Unit

DEFAULT = Config()
"""The machine whose parts are measured: 8x8, a 40-bit accumulator, K to 6144."""

RING = Config.sized(bus_bytes=32)
"""The same beside a bus of 256 bits."""

VECTOR = Config.sized(bus_bytes=32, vector_lanes=2)
"""That with a vector unit: 16 narrow lanes where results drain, and 2 full ones."""

WITHOUT = Config.sized(bus_bytes=32, drain_lanes=VECTOR.drain_lanes)
"""The same without one."""

SMALL = Config.sized(rows=4, cols=4)
"""The whole machine that is measured."""


def _cell(cell_stages):
    """Describe the array's cell with one choice of pipeline."""
    widths = {"acc_width": DEFAULT.acc_width, "fraction_bits": DEFAULT.fraction_bits,
              "drop_width": DEFAULT.drop_width, "cell_stages": cell_stages}
    return Unit(f"cell, cell_stages={cell_stages}", lambda: MACCell(**widths), BLOCK_SIZE, 4,
                configuration=describe(widths))


def describe(parameters):
    """Write parameters as one line."""
    return " ".join(f"{name}={value}" for name, value in parameters.items())


_DETECTOR = {"k_blocks_max": DEFAULT.k_blocks_max}
_NORMALIZER = {"acc_width": DEFAULT.acc_width, "fraction_bits": DEFAULT.fraction_bits}
_ROW_SUM = {"columns_max": DEFAULT.k_max}
_BLOCK = {"lanes": BLOCK_SIZE}
_AT_ONCE = {"lanes": 2 * VECTOR.vector_lanes}
_COLUMNS = {"columns_max": MOST_COLUMNS}
_ALL = tuple(TABLES)
_CELLS = ("mac_row", "mac_cell")

MACHINE = (
    Unit("dot_product", lambda: DotProduct(stages=0), BLOCK_SIZE, 4, configuration="stages=0"),
    *(_cell(stages) for stages in range(MOST_CELL_STAGES + 1)),
    Unit("mac_array 8x8", lambda: MACArray(DEFAULT), BLOCK_SIZE * DEFAULT.rows * DEFAULT.cols, 4,
         _CELLS, configuration=DEFAULT.describe(), timed=False),
    *(Unit(f"mx_converter, stages={stages}", partial(MXConverter, stages=stages),
           configuration=f"rounding=half_even stages={stages}") for stages in (0, 1, 2)),
    Unit("outlier_detector", lambda: OutlierDetector(**_DETECTOR),
         configuration=describe(_DETECTOR)),
    Unit("reorder", lambda: Reorder(DEFAULT), configuration=DEFAULT.describe()),
    Unit("normalizer", lambda: Normalizer(**_NORMALIZER), configuration=describe(_NORMALIZER)),
    Unit("row_extremes", RowExtremes, configuration=describe(_BLOCK)),
    Unit("row_totals", lambda: RowTotals(**_AT_ONCE), configuration=describe(_AT_ONCE)),
    Unit("row_mean", RowMean, configuration=describe(_COLUMNS)),
    Unit("row_scale", RowScale, configuration=describe(_COLUMNS)),
    Unit("row_sum", lambda: RowSum(**_ROW_SUM), configuration=describe(_ROW_SUM)),
    Unit("product", Product, configuration="V24 times V24 to FP32"),
    Unit("functions, exp2", lambda: Functions(("exp2",)), configuration="functions=exp2"),
    Unit("functions, gates", lambda: Functions(("gelu", "silu")),
         configuration="functions=gelu,silu"),
    Unit("functions", lambda: Functions(_ALL), configuration=f"functions={','.join(_ALL)}"),
    Unit("reciprocal", Reciprocal, configuration="1/x and 1/sqrt(x)"),
    Unit("lane, narrow", lambda: Lane(functions=("exp2",), is_full=False),
         configuration="functions=exp2 is_full=False"),
    Unit("lane", lambda: Lane(functions=_ALL), configuration=f"functions={','.join(_ALL)}"),
    Unit("vector_unit", lambda: VectorUnit(VECTOR), repeated=("vector_lane",),
         configuration=VECTOR.describe()),
    Unit("row_sums", lambda: RowSums(VECTOR), repeated=("row_sum",),
         configuration=VECTOR.describe()),
    *(Unit(f"{name}, {what}", partial(part, config), repeated=(
        "normalizer", "narrow_lane", "fp32_adder", "narrow"), configuration=config.describe())
      for name, part in (("result_path", ResultPath), ("result_writer", ResultWriter))
      for what, config in (("vector", VECTOR), ("plain", WITHOUT))),
    Unit("controller", lambda: Controller(DEFAULT), configuration=DEFAULT.describe()),
    Unit("csr", CSR, configuration="all registers"),
    Unit("csr, ring", partial(CSR, RING_REGISTERS), configuration="all registers"),
    Unit("memory system", lambda: MemoryMachine(RING), left_out=("engines", "controller"),
         configuration=RING.describe()),
    Unit("memory system, vector", lambda: MemoryMachine(VECTOR),
         left_out=("engines", "controller"), configuration=VECTOR.describe()),
    Unit("accelerator 4x4", lambda: Accelerator(SMALL), BLOCK_SIZE * SMALL.rows * SMALL.cols, 4,
         (*_CELLS, "normalizer", "fp32_adder"), configuration=SMALL.describe()),
)
"""The machine's parts."""

UNITS = (*MACHINE, *REFERENCES)
"""All rows of the table."""
