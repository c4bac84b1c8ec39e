"""What is measured, and on which devices, as data."""

from dataclasses import dataclass

from hw.accelerator import Accelerator
from hw.array.dot_product import DotProduct
from hw.array.mac_cell import MACCell
from hw.contract.config import Config
from hw.memory_accelerator import MemoryAccelerator
from perf.rtl.ppa.unit import Unit

LEAST_MHZ = 60.0
"""The clock that the machine must reach on `DEVICE`."""

_SIZES = {"float_formats": ("fp16",), "act_bytes": 16, "act_depth": 1024, "stage_depth": 2048,
          "cell_stages": 3}

MACHINE = Config.sized(rows=4, cols=4, **_SIZES)
"""4x4 cells, FP16 in, K to 6144; two depths are powers of two, to fill block RAMs."""

RING_MACHINE = Config.sized(rows=2, cols=2, **_SIZES, bus_bytes=16)
"""2x2 cells of the same between a command ring and a bus of 128 bits."""


@dataclass(frozen=True)
class Family:
    """Cells of an FPGA family, and the Yosys command that maps to them.

    Attributes
    ----------
    name : str
    command : str
    luts, carries, lut_rams, dsps, registers : tuple of str
        Cell types, by prefix.
    block_rams : dict of str to float
        Cell types, and how many of the family's block RAMs each takes.
    luts_per_carry : int
        LUTs whose place a carry cell takes.
    """

    name: str
    command: str
    luts: tuple[str, ...]
    carries: tuple[str, ...]
    lut_rams: tuple[str, ...]
    dsps: tuple[str, ...]
    registers: tuple[str, ...]
    block_rams: dict[str, float]
    luts_per_carry: int


# Without DSP blocks: Yosys would take one for a count times twelve, and its delay with it.
ECP5 = Family(
    "ECP5", "synth_ecp5 -nodsp", luts=("LUT4",), carries=("CCU2C",), lut_rams=("TRELLIS_DPR16X4",),
    dsps=("MULT18X18D", "ALU54B"), registers=("TRELLIS_FF",),
    block_rams={"DP16KD": 1, "PDPW16KD": 1}, luts_per_carry=2)

XC7 = Family(
    "Xilinx 7", "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf",
    luts=("LUT", "INV"), carries=("CARRY4",), lut_rams=("RAM32", "RAM64", "RAM128", "RAM256",
                                                        "SRL"),
    dsps=("DSP48E1",), registers=("FDRE", "FDSE", "FDCE", "FDPE"),
    block_rams={"RAMB36E1": 1, "RAMB18E1": 0.5}, luts_per_carry=0)

FAMILIES = (ECP5, XC7)


@dataclass(frozen=True)
class Device:
    """One device, as nextpnr and its users call it.

    Attributes
    ----------
    name : str
    option : str
        Of nextpnr.
    package : str
    speed : int
        Speed grade; 6 is the slowest, 8 the fastest.
    """

    name: str
    option: str
    package: str
    speed: int

    def describe(self):
        """Give the part in one word."""
        return f"{self.name}-{self.speed} ({self.package})"


DEVICE = Device("LFE5U-85F", "--85k", "CABGA756", 8)


def _cell():
    return MACCell(acc_width=MACHINE.acc_width, fraction_bits=MACHINE.fraction_bits,
                   drop_width=MACHINE.drop_width, cell_stages=MACHINE.cell_stages)


PARTS = (
    Unit("dot_product", lambda: DotProduct(stages=0), configuration="stages=0"),
    Unit("cell", _cell, configuration=f"acc_width={MACHINE.acc_width} k_max={MACHINE.k_max} "
                                      f"cell_stages={MACHINE.cell_stages}"),
)

ACCELERATOR = Unit(f"accelerator {MACHINE.rows}x{MACHINE.cols}", lambda: Accelerator(MACHINE),
                   configuration=MACHINE.describe())

RING_ACCELERATOR = Unit(f"accelerator {RING_MACHINE.rows}x{RING_MACHINE.cols} with a command ring",
                        lambda: MemoryAccelerator(RING_MACHINE),
                        configuration=RING_MACHINE.describe())

PLACED = {"streams": ACCELERATOR, "ring": RING_ACCELERATOR}
"""What can be placed and routed, by the option's value."""
