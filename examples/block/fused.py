"""A DiT block as one list: a machine with a vector unit needs nobody between its GEMMs."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

import golden
from examples.attention import PROJECTIONS
from examples.attention_steps import PrecisionChoice
from examples.block.arithmetic import EPSILON, Branch, gelu
from examples.block.block import FEED_FORWARD, OUTPUT, Block
from examples.gemms import Style, quantize_weights
from examples.lists.attention import choose_heads
from golden import Policy
from golden.policy import outlier_blocks
from hw.host.memory import Commands, Matrix, Memory, PackedActivations, Stages, every, top
from hw.host.memory.selection import Choice

LOG2_E = float(np.log2(np.e))
"""Powers are those of two."""

AFTER_ATTENTION, ACTIVATED = "x + out", "GELU(ff1)"


class FusedBlockInMemory:
    """A block's tensors in a machine's memory, and its list: norms and softmax are commands too.

    In MX6 and MX9 powers are made where scores drain. MixDiT chooses the blocks of P by magnitude,
    so its scores go through memory, and a pass subtracts each row's largest one.

    Parameters
    ----------
    block : Block
    choice : PrecisionChoice
    memory : Memory

    Attributes
    ----------
    steps : tuple of tuple of str
        What the commands make that can be compared, as in `reference`.
    """

    steps = (("q", "k", "v", "Kᵀ", "V", "P·V", AFTER_ATTENTION, ACTIVATED, OUTPUT),)

    def __init__(self, block: Block, choice: PrecisionChoice, memory: Memory):
        self._block, self._choice, self._memory = block, choice, memory
        shape = block.shape
        rows, batch = (shape.tokens, shape.width), (1, shape.heads)
        self._made = {}
        self._x = memory.place(block.x)
        self._weights = {name: self._layer(name) for name in block.linears}
        self._branches = [self._place_branch(branch) for branch in (
            block.to_attention, block.to_feed_forward)]
        self.normed = [self._packed(rows, choice.fraction) for _ in range(2)]
        self.q, self.k, self.v, self.heads = (memory.empty(rows, "fp16") for _ in range(4))
        of_head, form = shape.width // shape.heads, "mx6" if choice.style is Style.MX6 else "mixed"
        self.keys = memory.empty_weights((*batch, of_head, shape.tokens), form)
        self.values = memory.empty_weights((*batch, shape.tokens, of_head), form)
        self.scores = memory.empty((*batch, shape.tokens, shape.tokens))
        self.weights = self._packed((*batch, shape.tokens, shape.tokens), choice.head_fraction)
        self.after_attention, self.output = (memory.empty(rows) for _ in range(2))
        self.activated = self._packed((shape.tokens, shape.hidden), choice.fraction)

    def lists(self, begin: Callable[[], Commands]) -> Iterator[Commands]:
        """Give the list.

        Parameters
        ----------
        begin : callable
            Returns a list without commands.
        """
        commands = begin()
        self._enter(commands, 0, self._x)
        for name in PROJECTIONS:
            stages = Stages(scale=LOG2_E) if name == "q" else None
            self._multiply(commands, name, self.normed[0], getattr(self, name), stages)
        self._attend(commands)
        self._leave(commands, "out", self.heads, self._x, self.after_attention, 0)
        self._enter(commands, 1, self.after_attention)
        self._multiply(commands, "ff1", self.normed[1], self.activated, Stages(
            function="gelu", tags=self._hidden_tags()))
        self._leave(commands, "ff2", self.activated, self.after_attention, self.output, 1)
        yield commands

    def read(self) -> Mapping[str, NDArray[np.floating]]:
        """Read what each step made, by its name and in its shape in `reference`."""
        by_head = (-1, *self.keys.shape[-2:])
        heads = self._block.attention.split(self.heads.read())
        return {
            "q": self.q.read()[None] / LOG2_E, "k": self.k.read()[None],
            "v": self.v.read()[None], "Kᵀ": self.keys.read().dequantize().reshape(by_head),
            "V": self.values.read().dequantize().reshape(-1, *self.values.shape[-2:]),
            "P·V": heads, AFTER_ATTENTION: self.after_attention.read()[None],
            ACTIVATED: self.activated.read().dequantize()[None], OUTPUT: self.output.read()[None]}

    def _enter(self, commands: Commands, place: int, x: Matrix) -> None:
        """Normalize and modulate tokens: what a branch is given."""
        c, (factor, shift, _) = self.normed[place], self._branches[place]
        commands.vector(x, c, selection=self._selection(c, self._choice.fraction), stages=Stages(
            rows="layer_norm", epsilon=EPSILON, factor=factor, residual=shift))

    def _multiply(self, commands: Commands, name: str, a: Matrix | PackedActivations,
                  c: Matrix | PackedActivations, stages: Stages | None,
                  selection: Choice | None = None) -> None:
        weights, bias = self._weights[name]
        commands.gemm(a, weights, c, bias=bias, selection=selection, stages=stages)

    def _leave(self, commands: Commands, name: str, a: Matrix | PackedActivations, x: Matrix,
               c: Matrix, place: int) -> None:
        """Add to the tokens what a branch made of them, through its gate."""
        gate = self._branches[place][2]
        selection = None
        if isinstance(a, Matrix):
            selection = self._choose(self._choice.fraction, a.shape[-1])
        self._multiply(commands, name, a, c, Stages(factor=gate, residual=x), selection)

    def _attend(self, commands: Commands) -> None:
        """Add what leads from q, k and v to the heads."""
        chosen = choose_heads(self._block.attention, self._choice, self._memory.config)
        commands.convert(self._split(self.k), self.keys, selection=chosen.k)
        commands.convert_transposed(self._split(self.v), self.values, selection=chosen.v)
        if self._choice.style is Style.MIXDIT:
            commands.gemm(self._split(self.q), self.keys, self.scores, selection=chosen.q)
            commands.vector(self.scores, self.weights, stages=Stages(
                rows="maximum", function="exp2"), selection=self._choose(
                    self._choice.head_fraction, self.weights.shape[-1]))
        else:
            commands.gemm(self._split(self.q), self.keys, self.weights, selection=chosen.q,
                          stages=Stages(function="exp2"))
        commands.gemm(self.weights, self.values, self._split(self.heads),
                      stages=Stages(rows="sum"))

    def _split(self, rows: Matrix) -> Matrix:
        """See heads of rows: (1, heads, tokens, channels)."""
        return rows.split_rows(1).split_columns(self._block.shape.heads)

    def _layer(self, name: str):
        """Place a layer's weights, quantized, and its biases."""
        linear, attention = self._block.linears[name], self._block.attention
        matrices = (self._block.matrices(name) if name in FEED_FORWARD
                    else attention.matrices(name, self._block.calibration[name]))
        _, b = quantize_weights(matrices, self._choice.style, self._choice.fraction,
                                self._memory.config)
        return self._memory.place_weights(b), self._memory.place_bias(linear.bias)

    def _place_branch(self, branch: Branch):
        """Place what adaLN gives a branch: factor, shift and gate."""
        return tuple(map(self._memory.place_bias, (1 + branch.scale, branch.shift, branch.gate)))

    def _packed(self, shape: tuple[int, ...], fraction: float) -> PackedActivations:
        """Make room for packed results; of MixDiT some blocks may be MX9."""
        style = self._choice.style
        units = int(fraction * -(-shape[-1] // golden.BLOCK_SIZE))
        mixes = style is Style.MIXDIT and units
        return self._memory.empty(shape, "mixed" if mixes else
                                  "mx9" if style is Style.MX9 else "mx6")

    def _choose(self, fraction: float, columns: int) -> Choice:
        """Choose the largest K-blocks of each tile, in MixDiT; or all, or none."""
        if self._choice.style is not Style.MIXDIT:
            return every(self._choice.style is Style.MX9)
        return top(int(fraction * -(-columns // golden.BLOCK_SIZE)))

    def _selection(self, c: PackedActivations, fraction: float) -> Choice | None:
        return self._choose(fraction, c.shape[-1]) if c.mx_format == "mixed" else None

    def _hidden_tags(self):
        """Choose blocks of hidden channels on the calibration's rows: results have static tags."""
        if self.activated.mx_format != "mixed":
            return None
        rows = gelu(self._block.linears["ff1"].apply(self._block.calibration["ff1"]))
        policy = Policy(fraction=self._choice.fraction)
        return self._memory.place_tags(outlier_blocks(rows.astype(np.float32), policy)[0])


def reference(block: Block) -> dict[str, NDArray[np.float64]]:
    """Compute what can be compared in FP64, nothing quantized and nothing rounded."""
    found = block.reference()
    x = block.to_attention.leave(block.x.astype(np.float64), found["out"][0])
    return {name: found[name] for name in (*PROJECTIONS, "Kᵀ", "V", "P·V", OUTPUT)} | {
        AFTER_ATTENTION: x[None], ACTIVATED: gelu(found["ff1"][0])[None]}
