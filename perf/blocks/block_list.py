"""A list of commands that is made from shapes: its tensors have places, and hold nothing."""

import numpy as np

from golden.memory import Command
from golden.memory.descriptor import BYTES
from hw.contract.config import Config
from hw.host.memory import Commands, Matrix, Memory, PackedActivations, PackedWeights, Stages
from hw.host.memory.device import Device

Activations = Matrix | PackedActivations

DESCRIPTORS = 64
"""Of the ring, before the tensors."""

ROOM = 1 << 38
"""Bytes for tensors, which nobody keeps."""


class Nowhere(Device):
    """Memory that takes what is written and keeps nothing."""

    def read_register(self, address: int) -> int:
        """Return 0."""
        return 0

    def write_register(self, address: int, value: int) -> None:
        """Do nothing."""

    def read_memory(self, address: int, size: int) -> bytes:
        """Return zeros."""
        return bytes(size)

    def write_memory(self, address: int, data: bytes) -> None:
        """Do nothing."""


class BlockList:
    """Append the commands of a transformer's block for a machine with a vector unit, all in MX6.

    Parameters
    ----------
    config : Config

    Attributes
    ----------
    config : Config
    multiplications : int
        Of all GEMMs so far.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        first = DESCRIPTORS * BYTES
        self._memory = Memory(Nowhere(), config, first, ROOM - first)
        self._commands = Commands(self._memory)
        self.multiplications = 0

    @property
    def commands(self) -> list[Command]:
        """All commands so far, with their fences."""
        return list(self._commands)

    def rows(self, *shape: int, form: str = "fp32") -> Activations:
        """Make room for rows: (..., tokens, channels), in FP32, FP16 or MX6."""
        return self._memory.empty(shape, form)

    def normalize(self, x: Matrix) -> PackedActivations:
        """Append a LayerNorm with modulation."""
        c = self.rows(*x.shape, form="mx6")
        self._commands.vector(x, c, stages=Stages(
            rows="layer_norm", factor=self._vector(x.shape[-1]),
            residual=self._vector(x.shape[-1])))
        return c

    def linear(self, a: Activations, n: int, form: str = "fp32", *, function: str | None = None,
               residual: Matrix | None = None, is_gated: bool = False) -> Activations:
        """Append a linear layer of n columns, with a bias, and with what follows it."""
        c, k = self.rows(a.shape[-2], n, form=form), a.shape[-1]
        stages = None
        if function or residual is not None:
            stages = Stages(function=function, residual=residual,
                            factor=self._vector(n) if is_gated else None)
        self._multiply(a, self.weights(k, n), c, bias=self._vector(n), stages=stages)
        return c

    def weights(self, *shape: int) -> PackedWeights:
        """Make room for packed weights: (..., K, N)."""
        return self._memory.empty_weights(shape, "mx6")

    def convert(self, k: Matrix, v: Matrix, heads: int) -> None:
        """Append the conversion of K and V of all heads to weights."""
        tokens, of_head = k.shape[-2], k.shape[-1] // heads
        batch = (1, heads)
        self._commands.convert(_split(k, heads), self.weights(*batch, of_head, tokens))
        self._commands.convert_transposed(_split(v, heads), self.weights(*batch, tokens, of_head))

    def attend(self, q: Matrix, tokens: int, heads: int) -> Matrix:
        """Append the attention of some queries to so many keys, whose weights are in memory."""
        queries, of_head, batch = q.shape[-2], q.shape[-1] // heads, (1, heads)
        powers = self.rows(*batch, queries, tokens, form="mx6")
        out = self.rows(*q.shape, form="fp16")
        self._multiply(_split(q, heads), self.weights(*batch, of_head, tokens), powers,
                       stages=Stages(function="exp2"))
        self._multiply(powers, self.weights(*batch, tokens, of_head), _split(out, heads),
                       stages=Stages(rows="sum"))
        return out

    def _multiply(self, a: Activations, b: PackedWeights, c: Activations, **others) -> None:
        self._commands.gemm(a, b, c, **others)
        command = self.commands[-1]
        self.multiplications += (
            command.m * command.n * command.k * command.count_0 * command.count_1)

    def _vector(self, columns: int):
        """Make room for a number of each column."""
        return self._memory.place_bias(np.zeros(columns, np.float32))


def _split(rows: Matrix, heads: int) -> Matrix:
    """See heads of rows: (1, heads, tokens, channels)."""
    return rows.split_rows(1).split_columns(heads)
