"""What a layer does, counted for `perf.studies.energy`."""

from golden.formats import BLOCK_SIZE
from hw.contract.block_bits import BASE_BLOCK_BITS, MX_BLOCK_BITS
from perf.studies.energy import ActionCounts, beat_operations
from perf.studies.published_energies import Operation
from perf.studies.system.layers import Layer
from perf.studies.system.preset import Preset
from perf.studies.system.work import LayerWork


def layer_energy(preset: Preset, layer: Layer, work: LayerWork) -> ActionCounts:
    """Count a layer's arithmetic, operand memories and DRAM bytes.

    Parameters
    ----------
    preset : Preset
    layer : Layer
    work : LayerWork

    Notes
    -----
    Each beat of an array reads a block per row and one per column. A block of activations is
    written once; one of weights once per beat that reads it, which is as much as if a single token
    tile were resident, and so too high. An operation beside the arrays counts as a fused
    multiply-add in FP32, a converted element as a 16-bit addition.
    """
    config = preset.config
    array_beats = work.beats / (preset.rows * preset.cols)
    a_bank, b_bank = (depth * BASE_BLOCK_BITS // 8
                      for depth in (config.act_depth, config.weight_depth))
    reads = BASE_BLOCK_BITS * array_beats
    sram: dict[int, float] = {}
    for bank, bits in ((a_bank, preset.rows * reads + MX_BLOCK_BITS * work.loaded_blocks),
                       (b_bank, 2 * preset.cols * reads)):
        sram[bank] = sram.get(bank, 0.0) + bits
    lanes = ActionCounts({Operation.FP32_MULTIPLY: layer.vector_operations,
                    Operation.FP32_ADD: layer.vector_operations})
    elements = ActionCounts({Operation.INT16_ADD: BLOCK_SIZE * work.loaded_blocks})
    return (beat_operations(work.beats) + lanes + elements
            + ActionCounts(sram_bits=sram, dram_bytes=work.traffic.total))
