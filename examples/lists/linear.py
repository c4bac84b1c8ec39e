"""A linear layer in a machine's memory: weights quantized and packed once, used by any list."""

import numpy as np
from numpy.typing import NDArray

from examples.attention_steps import PrecisionChoice
from examples.gemms import Matrices, Style, quantize_weights
from hw.host.memory import Commands, Matrix, Memory, above, every


class LinearInMemory:
    """A layer's weights and biases, and which K-blocks of its activations are MX9.

    Parameters
    ----------
    matrices : Matrices
        Weights, and the rows that precisions are chosen on: activations are not looked at.
    bias : ndarray, shape (N,)
    choice : PrecisionChoice
    memory : Memory
    """

    def __init__(self, matrices: Matrices, bias: NDArray[np.floating], choice: PrecisionChoice,
                 memory: Memory):
        policy, b = quantize_weights(matrices, choice.style, choice.fraction, memory.config)
        self._weights, self._bias = memory.place_weights(b), memory.place_bias(bias)
        self._selection = (every(choice.style is Style.MX9) if policy.threshold is None
                           else above(policy.threshold))

    def add(self, commands: Commands, a: Matrix, c: Matrix) -> None:
        """Add its product: A (M, K) to C (M, N), the bias included."""
        commands.gemm(a, self._weights, c, bias=self._bias, selection=self._selection)
