"""A question to a unit that many share: operands out, an answer back when it comes."""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.formats import FP32


def question(*operands):
    """Describe a question about FP32 numbers, seen from who asks.

    Members
    -------
    ask : Out(1)
        In the question's first cycle.
    <operand> : Out(32)
        FP32 patterns; they stay until the answer.
    answered : In(1)
        ``answer`` is there, in this cycle; at least one after ``ask``.
    answer : In(32)
    """
    return wiring.Signature({
        "ask": Out(1), **{operand: Out(FP32.width) for operand in operands},
        "answered": In(1), "answer": In(FP32.width),
    })
