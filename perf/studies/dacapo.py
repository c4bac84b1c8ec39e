"""DaCapo's machine (Kim et al., ISCA 2024, arXiv 2403.14353), scaled to a number of multipliers.

DaCapo is the published MX machine closest to this one: 16 x 16 dot-product engines, 28 nm,
500 MHz, 96 KB of SRAM, LPDDR5 at 204.8 GB/s. An engine has sixteen 2-bit multipliers, which it
regroups: a dot product of 16 elements takes 1, 4 or 16 cycles in MX4, MX6 or MX9. Both operands
have the same format, so a pair of blocks of which one is MX9 costs as much as MX9 x MX9.

Multipliers are compared by the partial-product bits that they make: a 4x4-bit multiplier makes 16,
a 2x2-bit one 4. So one lane of this machine's cell counts as four of DaCapo's multipliers, and a
cell of 16 lanes as four engines; both then do as many MX6 products per cycle. What differs is what
else the products cost, and what mixed precision does to their number. All else is assumed to be
perfect, in DaCapo's favour: no ragged tiles, no fill and drain, every operand moved once, and
formats chosen block by block.

The SRAM grows with the engines, 384 bytes each: 24 MB beside 262,144 multipliers. It is taken as
one buffer that every engine reaches and that each tensor has to itself. Activations that fit in
FP16 never move. Scores take no more of it than those of the 16 queries that an array works on, and
so stay on chip in the scaled machine, however many heads there are; the published one has too
little for the scores of 4,096 tokens, 128 KB in FP16, and moves them out and in.
"""

from dataclasses import dataclass

from golden.formats import BLOCK_SIZE
from perf.workloads import Gemm, GemmKind, Model

MX6_CYCLES, MX9_CYCLES = 4, 16
"""Of an engine, for a dot product of 16 elements."""

MX6_BITS, MX9_BITS = 6, 9
"""Per element, shared exponents included (Rouhani et al., arXiv 2302.08007)."""

RESULT_BITS = 16

ENGINES, SRAM_BYTES = 256, 96 << 10
"""Of the published machine."""

QUERIES = 16
"""Rows of its array of engines: so many rows of scores are in the making at once."""

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

    engines: int = ENGINES
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

    @property
    def sram_bytes(self) -> float:
        """On-chip memory, as much per engine as published."""
        return SRAM_BYTES / ENGINES * self.engines

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
        operands, results = self._moved_elements(gemm)
        bits = operands * operand_bits + results * RESULT_BITS
        return max(cycles / self.clock, bits / 8 / self.bandwidth)

    def _moved_elements(self, gemm: Gemm) -> tuple[int, int]:
        """Count the elements of operands and of results that pass through DRAM."""
        held_a, held_c = gemm.a_elements, gemm.c_elements
        if gemm.kind is GemmKind.QK:
            held_c = QUERIES * gemm.n
        elif gemm.kind is GemmKind.PV:
            held_a = QUERIES * gemm.k
        a = 0 if gemm.shares or self._holds(held_a) else gemm.a_elements
        b = gemm.b_elements if gemm.has_weights or not self._holds(gemm.b_elements) else 0
        return a + b, 0 if self._holds(held_c) else gemm.c_elements

    def _holds(self, elements: int) -> bool:
        return elements * RESULT_BITS <= 8 * self.sram_bytes

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
                gemm, linear_mx9 if gemm.kind is GemmKind.LINEAR else attention_mx9)
            for block in model.blocks for gemm in block.gemms)
