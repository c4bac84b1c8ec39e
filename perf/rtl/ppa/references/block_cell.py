"""The machine's cell with other widths: MX6 alone, MX9 in one beat, MX9 x MX6 in one beat."""

from golden.formats import MX6, MX9
from hw.array.dot_product import largest_product
from hw.array.mac_cell import MACCell
from hw.contract.config import Config


def mx6_cell(config: Config, cell_stages: int) -> MACCell:
    """Return the machine's cell for MX6 alone: no residuals, so fewer beats add up in a sum."""
    return MACCell(acc_width=sum_width(config, MX6.mantissa_bits),
                   fraction_bits=config.fraction_bits, drop_width=config.drop_width,
                   cell_stages=cell_stages)


def mx9_cell(config: Config, cell_stages: int) -> MACCell:
    """Return the cell that multiplies MX9 by MX9 in one beat; MX6 blocks are widened."""
    return _wider_cell(config, cell_stages, MX9.mantissa_bits)


def mixed_cell(config: Config, cell_stages: int) -> MACCell:
    """Return the cell that multiplies MX9 by MX6 in one beat, and MX9 by MX9 in two."""
    return _wider_cell(config, cell_stages, MX6.mantissa_bits)


def _wider_cell(config, cell_stages, a_bits):
    """Return a cell whose B is MX9, with the same unit of the sum as the machine's.

    Wider mantissas reach lower, and need fewer bits below their own unit. Blocks of a narrower
    format come with zeros below.
    """
    b_bits = MX9.mantissa_bits
    return MACCell(acc_width=sum_width(config),
                   fraction_bits=config.fraction_bits - (a_bits + b_bits - 2 * MX6.mantissa_bits),
                   drop_width=config.drop_width, cell_stages=cell_stages, a_bits=a_bits,
                   b_bits=b_bits)


def sum_width(config: Config, mantissa_bits: int = MX9.mantissa_bits) -> int:
    """Return the bits that the largest sum takes, by what blocks of a format can add up to.

    Parameters
    ----------
    config : hw.contract.config.Config
        Its unit and its k_max.
    mantissa_bits : int
        Of both operands.
    """
    below = 2 * (mantissa_bits - MX6.mantissa_bits)
    block = largest_product(mantissa_bits, mantissa_bits) << config.fraction_bits
    # Rounded half up, the beats of a block exceed it by less than one unit each.
    block = (block >> below) + 4
    return (config.k_blocks_max * block).bit_length() + 1
