"""The sizes of a DiT block, checked."""

from dataclasses import dataclass
from fractions import Fraction

from golden.memory.descriptor import ALIGNMENT
from hw.contract.config import Config
from hw.host.memory.packed import tile_bytes

MOST_RATIO = 64

_BESIDE = 1 << 16
"""Bytes for a ring, and for what aligns tensors."""


@dataclass(frozen=True, kw_only=True)
class BlockShape:
    """Sizes of a block.

    Attributes
    ----------
    tokens : int
        Of the one sequence that it is given.
    width : int
        Channels of a token.
    heads : int
        Of the attention; each has as many of the channels.
    mlp_ratio : float
        Channels between the two layers of the feed-forward, by width.

    Raises
    ------
    ValueError
        If a size is none, or does not divide.
    """

    tokens: int
    width: int
    heads: int
    mlp_ratio: float = 4.0

    def __post_init__(self):
        for name in ("tokens", "width", "heads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.width % self.heads:
            raise ValueError(f"a width of {self.width} channels makes no {self.heads} equal heads: "
                             "give a multiple of the heads")
        if not 0 < self.mlp_ratio <= MOST_RATIO or self._hidden.denominator > 1:
            raise ValueError(f"mlp_ratio={self.mlp_ratio} times {self.width} channels must be a "
                             f"whole number of at least 1, and the ratio at most {MOST_RATIO}")

    @property
    def hidden(self) -> int:
        """Channels between the two layers of the feed-forward."""
        return int(self._hidden)

    @property
    def _hidden(self) -> Fraction:
        """The same, of the ratio as the decimal that it prints as."""
        return self.width * Fraction(str(self.mlp_ratio))

    @property
    def weights(self) -> int:
        """Weights of its six linear layers."""
        return 4 * self.width**2 + 2 * self.width * self.hidden

    @property
    def multiplications(self) -> int:
        """Multiply-accumulates of all its GEMMs."""
        return self.tokens * self.weights + 2 * self.tokens**2 * self.width

    def memory_bytes(self, config: Config) -> int:
        """Return bytes of memory, a power of two, that have room for it beside a ring.

        That is for numbers of four bytes in every row, and for packed weights all of MX9.
        """
        packed = [(self.width, self.width)] * 4
        packed += [(self.width, self.hidden), (self.hidden, self.width)]
        packed += [(self.width // self.heads, self.tokens), (self.tokens, self.width)] * self.heads
        rows = self.tokens * (9 * self.width + 2 * self.hidden + 2 * self.heads * self.tokens)
        biases = 5 * self.width + self.hidden
        return 1 << (_BESIDE + 4 * (rows + biases) + sum(
            _packed_bytes(config, k, n) for k, n in packed)).bit_length()

    def check_machine(self, config: Config) -> None:
        """See that a machine can run it.

        Raises
        ------
        ValueError
            If a K is over the machine's limit.
        """
        what, largest = max(((name, size) for name, size in (
            ("width", self.width), ("feed-forward", self.hidden), ("attention", self.tokens))),
            key=lambda each: each[1])
        if largest > config.k_max:
            raise ValueError(f"the {what} makes a GEMM of K = {largest}, over the machine's limit "
                             f"of {config.k_max}; give a larger --k-max")


def _packed_bytes(config: Config, k: int, n: int) -> int:
    """Return the bytes of a packed B (K, N), all of it in MX9."""
    stride = tile_bytes(min(n, config.cols), k, config.weight_bytes, has_residuals=True)
    return -(-stride // ALIGNMENT) * ALIGNMENT * -(-n // config.cols)
