"""DaCapo's machine (Kim et al., ISCA 2024, arXiv 2403.14353), scaled to a number of multipliers.

DaCapo is the published MX machine closest to this one: 16 x 16 dot-product engines, 28 nm,
500 MHz, LPDDR5 at 204.8 GB/s. An engine has sixteen 2-bit multipliers, which it regroups: a dot
product of 16 elements takes 1, 4 or 16 cycles in MX4, MX6 or MX9. Both operands have the same
format, so a pair of blocks of which one is MX9 costs as much as MX9 x MX9.

Multipliers are compared by the partial-product bits that they make: a 4x4-bit multiplier makes 16,
a 2x2-bit one 4. So one lane of this machine's cell counts as four of DaCapo's multipliers, and a
cell of 16 lanes as four engines; both then do as many MX6 products per cycle. What differs is what
else the products cost, and what mixed precision does to their number. All else is assumed to be
perfect, in DaCapo's favour: no ragged tiles, no fill and drain, every operand moved once, and
formats chosen block by block.
"""

from dataclasses import dataclass

from golden.formats import BLOCK_SIZE
from perf.workloads import Gemm, Kind, Model

MX6_CYCLES, MX9_CYCLES = 4, 16
"""Of an engine, for a dot product of 16 elements."""

MX6_BITS, MX9_BITS = 6, 9
"""Per element, shared exponents included (Rouhani et al., arXiv 2302.08007)."""

RESULT_BITS = 16

_TWO_BIT_PER_ENGINE = 16
_TWO_BIT_PER_4X4 = 4


@dataclass(frozen=True)
class DaCapo:
    """A scaled machine.

    Attributes
    ----------
    engines : int
        Dot-product engines.
    clock : float
        Hz.
    bandwidth : float
        Bytes per second.
    """

    engines: int = 256
    clock: float = 500e6
    bandwidth: float = 204.8e9

    @classmethod
    def with_multipliers(
        cls, multipliers: int, *, clock: float = 500e6, bandwidth: float = 204.8e9
    ) -> "DaCapo":
        """Scale to as many partial-product bits as some 4x4-bit multipliers make.

        Parameters
        ----------
        multipliers : int
            Lanes of this machine: rows x columns x 16 x cores. A multiple of 4.
        clock, bandwidth : float

        Raises
        ------
        ValueError
            If the multipliers do not make whole engines.
        """
        engines, rest = divmod(multipliers * _TWO_BIT_PER_4X4, _TWO_BIT_PER_ENGINE)
        if rest or engines < 1:
            raise ValueError(f"multipliers must be a positive multiple of 4, not {multipliers}")
        return cls(engines, clock, bandwidth)

    def gemm_seconds(self, gemm: Gemm, mx9: float = 0.0) -> float:
        """Bound the time of a GEMM, all `count` together, in seconds.

        Parameters
        ----------
        gemm : Gemm
        mx9 : float
            Share of the K-blocks that have to be MX9, in one operand or both.

        Raises
        ------
        ValueError
            If the share is not in [0, 1].
        """
        if not 0 <= mx9 <= 1:
            raise ValueError(f"a share must be from 0 to 1, not {mx9}")
        blocks = gemm.count * gemm.m * gemm.n * -(-gemm.k // BLOCK_SIZE)
        cycles = blocks * (MX6_CYCLES + mx9 * (MX9_CYCLES - MX6_CYCLES)) / self.engines
        operand_bits = MX6_BITS + mx9 * (MX9_BITS - MX6_BITS)
        bits = (gemm.a_elements + gemm.b_elements) * operand_bits + gemm.c_elements * RESULT_BITS
        return max(cycles / self.clock, bits / 8 / self.bandwidth)

    def model_seconds(
        self, model: Model, *, linear_mx9: float = 0.0, attention_mx9: float = 0.0
    ) -> float:
        """Bound the time of one evaluation of a model, in seconds.

        Parameters
        ----------
        model : Model
        linear_mx9, attention_mx9 : float
            Shares of K-blocks in MX9: 0.05 and 0.2 is MixDiT (arXiv 2504.08398), 1 is all.
        """
        return sum(
            block.count * self.gemm_seconds(
                gemm, linear_mx9 if gemm.kind is Kind.LINEAR else attention_mx9)
            for block in model.blocks for gemm in block.gemms)
