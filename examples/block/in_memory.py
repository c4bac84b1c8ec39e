"""A DiT block's tensors in a machine's memory, and its four lists."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from examples.attention_steps import PrecisionChoice
from examples.block.arithmetic import gelu
from examples.block.block import FEED_FORWARD, OUTPUT, Block
from examples.lists.attention import AttentionInMemory
from examples.lists.linear import LinearInMemory
from hw.host.memory import Commands, Memory


class BlockInMemory:
    """A block's tensors in a machine's memory, and its lists.

    The two of the attention, one for each layer of the feed-forward. Between them the host reads
    results in FP32, computes in FP32 what the machine has no hardware for, and writes FP16.

    Parameters
    ----------
    block : Block
    choice : PrecisionChoice
    memory : Memory

    Attributes
    ----------
    steps : tuple of tuple of str
        What the commands of each list make, in their order; as in `Block.reference`.
    attention : AttentionInMemory
    normed, activated : Matrix of FP16, shape (tokens, channels)
        What ff1 and ff2 are given.
    hidden, made : Matrix of FP32, shape (tokens, channels)
        What they make.
    output : ndarray of float32, shape (tokens, width)
        The block's, once the last list has run.
    """

    steps = (*AttentionInMemory.steps, *((name,) for name in FEED_FORWARD))

    def __init__(self, block: Block, choice: PrecisionChoice, memory: Memory):
        self._block, shape = block, block.shape
        self.attention = AttentionInMemory(block.attention, choice, memory)
        self._ff1, self._ff2 = (
            LinearInMemory(block.matrices(name), block.linears[name].bias, choice, memory)
            for name in FEED_FORWARD)
        self.normed = memory.empty((shape.tokens, shape.width), "fp16")
        self.hidden = memory.empty((shape.tokens, shape.hidden))
        self.activated = memory.empty((shape.tokens, shape.hidden), "fp16")
        self.made = memory.empty((shape.tokens, shape.width))

    def lists(self, begin: Callable[[], Commands]) -> Iterator[Commands]:
        """Give the four lists, each to be run before the next is asked for.

        Parameters
        ----------
        begin : callable
            Returns a list without commands.
        """
        branches = self._block.to_attention, self._block.to_feed_forward
        yield from self.attention.lists(begin)
        x = branches[0].leave(self._block.x, self.attention.out.read())
        self.normed.write(branches[1].enter(x).astype(np.float16))
        commands = begin()
        self._ff1.add(commands, self.normed, self.hidden)
        yield commands
        self.activated.write(gelu(self.hidden.read()).astype(np.float16))
        commands = begin()
        self._ff2.add(commands, self.activated, self.made)
        yield commands
        self.output = branches[1].leave(x, self.made.read())

    def read(self) -> Mapping[str, NDArray[np.floating]]:
        """Read what each step made, by its name and in its shape in `Block.reference`."""
        return self.attention.read() | {
            "ff1": self.hidden.read()[None], "ff2": self.made.read()[None],
            OUTPUT: self.output[None]}
