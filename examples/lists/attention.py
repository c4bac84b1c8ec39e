"""Attention as two lists of commands: all but the softmax between them is the machine's."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from examples.attention import PROJECTIONS, Attention, softmax
from examples.attention_steps import PrecisionChoice
from examples.lists.linear import LinearInMemory
from examples.lists.precisions import choose_blocks
from hw.contract.config import Config
from hw.host.memory import Commands, Matrix, Memory
from hw.host.memory.selection import Choice


@dataclass(frozen=True)
class HeadChoices:
    """Which K-blocks of the heads are MX9: chosen before anything has run.

    The host never sees Q, K and V. So MixDiT takes the K-blocks of a tile that are above a
    threshold, which at most the fraction of a calibration set's exceed.

    Attributes
    ----------
    q, k, v : Choice
    """

    q: Choice
    k: Choice
    v: Choice


def choose_heads(attention: Attention, choice: PrecisionChoice, config: Config) -> HeadChoices:
    """Choose precisions of Q, K and V on what the calibration's rows make of them."""
    lines = {"q": config.rows, "k": config.cols, "v": config.cols}
    found = {}
    for name, of_tile in lines.items():
        linear, rows = attention.linears[name], attention.calibration[name]
        heads = linear.apply(rows).astype(np.float16).reshape(len(rows), attention.heads, -1)
        heads = heads.swapaxes(0, 1)
        found[name] = choose_blocks(heads.swapaxes(1, 2) if name == "v" else heads, choice, of_tile)
    return HeadChoices(**found)


class AttentionInMemory:
    """An attention's tensors in a machine's memory, and its two lists.

    Parameters
    ----------
    attention : Attention
    choice : PrecisionChoice
    memory : Memory

    Attributes
    ----------
    steps : tuple of tuple of str
        What the commands of each list make, in their order; as in `Attention.reference`.
    q, k, v, heads : Matrix of FP16, shape (rows, channels)
    keys, values : PackedWeights, shape (sequences, heads, K, N)
    scores : Matrix of FP32, shape (sequences, heads, tokens, tokens)
    probabilities : Matrix of FP16
        Likewise.
    out : Matrix of FP32, shape (rows, channels)
    """

    steps = (("q", "k", "v", "Kᵀ", "V", "Q·Kᵀ"), ("P·V", "out"))

    def __init__(self, attention: Attention, choice: PrecisionChoice, memory: Memory):
        self._attention, self._choice, self._memory = attention, choice, memory
        batch, tokens = (attention.sequences, attention.heads), attention.tokens
        self._linears = {
            name: LinearInMemory(attention.matrices(name, attention.calibration[name]),
                                 linear.bias, choice, memory)
            for name, linear in attention.linears.items()}
        self.x = memory.place(attention.inputs)
        rows, width = len(attention.inputs), attention.heads * attention.channels
        self.q, self.k, self.v, self.heads = (
            memory.empty((rows, width), "fp16") for _ in range(4))
        self.keys = memory.empty_weights((*batch, attention.channels, tokens))
        self.values = memory.empty_weights((*batch, tokens, attention.channels))
        self.scores = memory.empty((*batch, tokens, tokens))
        self.probabilities = memory.empty((*batch, tokens, tokens), "fp16")
        self.out = memory.empty((rows, attention.linears["out"].weight.shape[1]))

    def lists(self, begin: Callable[[], Commands]) -> Iterator[Commands]:
        """Give both lists, each to be run before the next is asked for.

        Parameters
        ----------
        begin : callable
            Returns a list without commands.
        """
        scores = begin()
        self._add_scores(scores)
        yield scores
        self.probabilities.write(softmax(self.scores.read()).astype(np.float16))
        output = begin()
        self._add_output(output)
        yield output

    def read(self) -> Mapping[str, NDArray[np.floating]]:
        """Read what each step made, by its name and in its shape in `Attention.reference`."""
        heads = self._attention.split(self.heads.read())
        found = {name: getattr(self, name).read()[None] for name in (*PROJECTIONS, "out")}
        return found | {
            "Kᵀ": _by_head(self.keys.read().dequantize()),
            "V": _by_head(self.values.read().dequantize()),
            "Q·Kᵀ": _by_head(self.scores.read()), "P·V": heads}

    def _add_scores(self, commands: Commands) -> None:
        """Add what leads from the inputs to the scores."""
        chosen = choose_heads(self._attention, self._choice, self._memory.config)
        for name in PROJECTIONS:
            self._linears[name].add(commands, self.x, getattr(self, name))
        commands.convert(self._split(self.k), self.keys, selection=chosen.k)
        commands.convert_transposed(self._split(self.v), self.values, selection=chosen.v)
        commands.gemm(self._split(self.q), self.keys, self.scores, selection=chosen.q)

    def _add_output(self, commands: Commands) -> None:
        """Add what leads from the softmax's results to the output."""
        probabilities = _by_head(self.probabilities.read())
        chosen = choose_blocks(probabilities, self._choice, self._memory.config.rows)
        commands.gemm(self.probabilities, self.values, self._split(self.heads), selection=chosen)
        self._linears["out"].add(commands, self.heads, self.out)

    def _split(self, rows: Matrix) -> Matrix:
        """See sequences and heads of rows: (sequences, heads, tokens, channels)."""
        return rows.split_rows(self._attention.sequences).split_columns(self._attention.heads)


def _by_head(x: NDArray[np.floating]) -> NDArray[np.floating]:
    return x.reshape(-1, *x.shape[-2:])
