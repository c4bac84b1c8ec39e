"""Attention as two lists of commands: all but the softmax between them is the machine's."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import golden
from examples.attention import PROJECTIONS, Attention
from examples.attention_steps import PrecisionChoice
from examples.gemms import PreparedGemm, Style, prepare
from golden import Policy
from hw.contract.config import Config
from hw.host.memory import Commands, Matrix, Memory, above, every
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
        linear, rows = attention.linears[name], attention.calibration[name].astype(np.float64)
        made = (rows @ linear.weight + linear.bias).astype(np.float16)
        heads = made.reshape(len(made), attention.heads, -1).swapaxes(0, 1)
        found[name] = choose_blocks(heads.swapaxes(1, 2) if name == "v" else heads, choice, of_tile)
    return HeadChoices(**found)


def choose_blocks(heads: NDArray[np.float16], choice: PrecisionChoice, of_tile: int) -> Choice:
    """Choose K-blocks of tiles of rows, (heads, rows, K): all, none, or those above a threshold."""
    if choice.style is not Style.MIXDIT:
        return every(choice.style is Style.MX9)
    policy = Policy(fraction=choice.head_fraction, tile_rows=of_tile)
    return above(golden.calibrate_threshold([heads], policy))


class AttentionInMemory:
    """An attention's tensors in a machine's memory, and its two lists.

    Parameters
    ----------
    attention : Attention
    choice : PrecisionChoice
    memory : Memory

    Attributes
    ----------
    q, k, v, heads : Matrix of FP16, shape (rows, channels)
    keys, values : PackedWeights, shape (sequences, heads, K, N)
    scores : Matrix of FP32, shape (sequences, heads, tokens, tokens)
    probabilities : Matrix of FP16
        Likewise.
    out : Matrix of FP32, shape (rows, channels)
    """

    def __init__(self, attention: Attention, choice: PrecisionChoice, memory: Memory):
        self._attention, self._choice, self._memory = attention, choice, memory
        batch, tokens = (attention.sequences, attention.heads), attention.tokens
        self._gemms = {name: prepare(attention.matrices(name, attention.inputs), choice.style,
                                     choice.fraction, memory.config)
                       for name in attention.linears}
        self._weights = {name: memory.place_weights(gemm.b) for name, gemm in self._gemms.items()}
        self._biases = {name: memory.place_bias(linear.bias)
                        for name, linear in attention.linears.items()}
        self.x = memory.place(attention.inputs)
        shape = attention.inputs.shape
        self.q, self.k, self.v, self.heads = (memory.empty(shape, "fp16") for _ in range(4))
        self.keys = memory.empty_weights((*batch, attention.channels, tokens))
        self.values = memory.empty_weights((*batch, tokens, attention.channels))
        self.scores = memory.empty((*batch, tokens, tokens))
        self.probabilities = memory.empty((*batch, tokens, tokens), "fp16")
        self.out = memory.empty((shape[0], self._gemms["out"].b.shape[1]))

    def add_scores(self, commands: Commands) -> None:
        """Add the first list: from the inputs to the scores."""
        chosen = choose_heads(self._attention, self._choice, self._memory.config)
        for name in PROJECTIONS:
            self._add_linear(commands, name, self.x, getattr(self, name))
        commands.convert(self._split(self.k), self.keys, selection=chosen.k)
        commands.convert_transposed(self._split(self.v), self.values, selection=chosen.v)
        commands.gemm(self._split(self.q), self.keys, self.scores, selection=chosen.q)

    def add_output(self, commands: Commands, probabilities: NDArray[np.float16]) -> None:
        """Write the softmax's results; add the second list: from there to the output."""
        self.probabilities.write(probabilities)
        rows = probabilities.reshape(-1, *probabilities.shape[-2:])
        chosen = choose_blocks(rows, self._choice, self._memory.config.rows)
        commands.gemm(self.probabilities, self.values, self._split(self.heads), selection=chosen)
        self._add_linear(commands, "out", self.heads, self.out)

    def read(self) -> Mapping[str, NDArray[np.floating]]:
        """Read what each step made, by its name and in its shape in `Attention.reference`."""
        heads = self._attention.split(self.heads.read())
        found = {name: getattr(self, name).read()[None] for name in (*PROJECTIONS, "out")}
        return found | {
            "Kᵀ": _by_head(self.keys.read().dequantize()),
            "V": _by_head(self.values.read().dequantize()),
            "Q·Kᵀ": _by_head(self.scores.read()), "P·V": heads}

    def _add_linear(self, commands: Commands, name: str, a: Matrix, c: Matrix) -> None:
        gemm = self._gemms[name]
        commands.gemm(a, self._weights[name], c, bias=self._biases[name],
                      selection=_choice_of(gemm))

    def _split(self, rows: Matrix) -> Matrix:
        """See sequences and heads of rows: (sequences, heads, tokens, channels)."""
        return rows.split_rows(self._attention.sequences).split_columns(self._attention.heads)


def _choice_of(gemm: PreparedGemm) -> Choice:
    """Say which K-blocks of a layer's activations are MX9."""
    if gemm.threshold is None:
        return every(gemm.style is Style.MX9)
    return above(gemm.threshold)


def _by_head(x: NDArray[np.floating]) -> NDArray[np.floating]:
    return x.reshape(-1, *x.shape[-2:])
