"""Silicon of a machine: gates by part, bits of memory, and square millimetres of a cited node.

The node is Samsung's 8N, which the RTX 3090 is made in, a variant of its 10 nm process. Wires and
clock are in the share of the area that gates may fill. What is not in it: the DRAM interface, the
network between shared memory and cores, and the host's; the GPU's die has its own of these.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from golden.formats import BLOCK_SIZE, FP32
from golden.vector.formats import V24
from hw.activations.calibration_tables import place_bits
from hw.activations.scatter import element_width
from hw.contract.block_bits import MX_BLOCK_BITS
from hw.contract.config import Config
from hw.contract.layouts import AlignedBlock
from perf.studies.system.gates import core_gates, speed_factor, vector_gates
from perf.studies.system.preset import Preset

TRANSISTORS_PER_GATE = 4
"""Of a two-input NAND."""

TRANSISTORS_PER_MM2 = 61e6
"""Of 8N, densest logic, as reported at its introduction. All of GA102, its memories included, has
28.3e9 on 628.4 mm2, 45e6 (NVIDIA GA102 white paper)."""

FILLED = 0.70
"""Of the area of logic is gates. 43e6 transistors per mm2 are left, below all of GA102."""

DENSE_CELL, FAST_CELL = 0.040, 0.049
"""um2 of a six-transistor cell, for size and for speed, in Samsung's 10 nm: T. Song et al., "A 10
nm FinFET 128 Mb SRAM with assist adjustment system", ISSCC 2016."""

TWO_PORTS = 1.30
"""An eight-transistor cell with a read port of its own over a six-transistor one: L. Chang et al.,
"Stable SRAM cell design for the 32 nm node and beyond", Symposium on VLSI Technology 2005."""

SMALL_CELLS, LARGE_CELLS = 0.50, 0.60
"""Share of a macro's area that is cells; the rest decodes, drives and senses. Assumed: 0.5 for
the cores' small memories, 0.6 for large ones."""

MAGNITUDE_BITS = 31


@dataclass(frozen=True)
class Silicon:
    """An estimate.

    Attributes
    ----------
    gates : mapping of str to float
        Gate equivalents (two-input NANDs) by part, all cores together, at the area point.
    sram_bits : mapping of str to int
        By memory, all cores together.
    logic_area, sram_area : float
        mm2.
    """

    gates: Mapping[str, float]
    sram_bits: Mapping[str, int]
    logic_area: float
    sram_area: float

    @property
    def area(self) -> float:
        """All of it, mm2."""
        return self.logic_area + self.sram_area

    @property
    def gate_equivalents(self) -> float:
        """All parts together."""
        return sum(self.gates.values())

    @property
    def bits(self) -> int:
        """All memories together."""
        return sum(self.sram_bits.values())


def silicon(preset: Preset) -> Silicon:
    """Estimate a machine's silicon.

    Parameters
    ----------
    preset : Preset

    Notes
    -----
    Gates are at the area point; their area is that of the speed point, `speed_factor` times
    theirs. The
    cores' memories have two ports (`hw.parts.sram`); P and the shared memory are read and
    written in
    turns, in banks, so that one port does.
    """
    gates = {name: preset.cores * each for name, each in core_gates(preset.config).items()}
    gates["vector unit"] = preset.cores * vector_gates(preset.config, preset.vector_lanes)
    two_ports = {name: preset.cores * bits for name, bits in core_memories(preset.config).items()}
    two_ports["vector unit"] = preset.cores * vector_memory(preset.config)
    one_port = {"P": 8 * preset.cores * preset.score_bytes, "shared": 8 * preset.shared_bytes}
    density = TRANSISTORS_PER_MM2 * FILLED / TRANSISTORS_PER_GATE
    return Silicon(gates, two_ports | one_port,
                   logic_area=speed_factor() * sum(gates.values()) / density,
                   sram_area=1e-6 * (sum(two_ports.values()) * FAST_CELL * TWO_PORTS / SMALL_CELLS
                                     + sum(one_port.values()) * DENSE_CELL / LARGE_CELLS))


def core_memories(config: Config) -> dict[str, int]:
    """Count the bits of a core's memories; a few small ones, below 3 % of all, are left out.

    `hw.tools.memories` reads the same from the Verilog, which takes many seconds.
    """
    element, k_blocks = element_width(config), config.k_blocks_max
    return {
        "operands of A": MX_BLOCK_BITS * config.rows * config.act_depth,
        "operands of B": MX_BLOCK_BITS * config.cols * config.weight_depth,
        "aligned blocks": AlignedBlock.as_shape().size * config.stage_depth,
        "reorder": 2 * BLOCK_SIZE * element * k_blocks,
        "channel maxima": BLOCK_SIZE * (element - 1) * k_blocks,
        "tables": BLOCK_SIZE * place_bits(config) * config.tables * k_blocks,
        "block maxima": 2 * MAGNITUDE_BITS * k_blocks,
        "results": FP32.width * config.drain_lanes * (
            config.result_depth + _packing_depth(config)),
    }


def _packing_depth(config: Config) -> int:
    """Count the results per lane that wait to be packed in `tile_turner` and `part_joiner`."""
    if config.cols % BLOCK_SIZE == 0:
        return 2 * config.drain_cycles
    if BLOCK_SIZE % config.cols == 0:
        parts = BLOCK_SIZE // config.cols - 1
        return parts * config.tile_slots * config.drain_cycles
    return 0


def vector_memory(config: Config) -> int:
    """Count the bits of a vector unit's rows and columns.

    Two FP32 rows, one of which leaves while the next is measured (`hw.vector.row_passes`), and of
    all columns a bias, a factor and a shift (`hw.vector.column_vector`).
    """
    return (2 * FP32.width + 2 * FP32.width + V24.width) * config.k_max
