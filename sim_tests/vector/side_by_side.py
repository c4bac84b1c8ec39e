"""A component several times, so that a cycle tests many numbers; and numbers to test it with."""

from typing import Any

import numpy as np
from amaranth import Module, Shape, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In
from numpy.typing import ArrayLike, NDArray

from hw.parts.emit import instantiate
from sim_tests import drive

LANES = 16

SIGN, INFINITY, QUIET_NAN = 0x80000000, 0x7F800000, 0x7FC00000

SPECIAL = np.array([magnitude | sign for sign in (0, SIGN) for magnitude in (
    0, 1, 0x400000, 0x7FFFFF, 0x800000, 0x800001, 0xFFFFFF, 0x1000000, 0x33800000, 0x3EFFFFFF,
    0x3F000000, 0x3F7FFF7F, 0x3F7FFF80, 0x3F7FFF81, 0x3F7FFFFF, 0x3F800000, 0x3F800001, 0x40000000,
    0x40FFFF7F, 0x40FFFF80, 0x41000000, 0x417FFF80, 0x41800000, 0x42BFFFFF, 0x42C00000, 0x42FC0000,
    0x42FC0001, 0x43000000, 0x437FFFFF, 0x7E800000, 0x7E800080, 0x7F000000, 0x7F7FFF7F, 0x7F7FFF80,
    0x7F7FFFFF, INFINITY, INFINITY + 1, 0x7F8000FF, QUIET_NAN, QUIET_NAN + 1, 0x7FFFFFFF)],
    np.uint32)
"""Zeros, subnormals, ends of ranges and of tables, ties of V24, infinities and NaNs."""


class SideBySide(wiring.Component):
    """`LANES` of a component that never stalls; each port is an array of theirs.

    Parameters
    ----------
    make : callable
        Returns the component; it has a clock if it has a ``latency``.
    module : str
        Name of its Verilog module.
    """

    def __init__(self, make, module):
        self.make, self.module = make, module
        one = make()
        self.shapes = {path[0]: Shape.cast(member.shape)
                       for path, member, _ in one.signature.flatten(one)}
        self.latency = getattr(one, "latency", 0)
        self.taken_at = getattr(one, "taken_at", {})
        members = one.signature.members
        super().__init__({name: members[name].flow(data.ArrayLayout(shape.width, LANES))
                          for name, shape in self.shapes.items()})

    def elaborate(self, platform):
        m = Module()
        for lane in range(LANES):
            if not self.latency:  # nor a clock
                m.submodules[f"lane_{lane}"] = part = self.make()
            else:
                part = instantiate(m, platform, self.make, module=self.module,
                                   name=f"lane_{lane}")
            for name, member in self.signature.members.items():
                outer, inner = getattr(self, name)[lane], Value.cast(getattr(part, name))
                m.d.comb += inner.eq(outer) if member.flow is In else outer.eq(inner)
        return m


async def results_of(
    dut: Any, parts: SideBySide, **inputs: ArrayLike
) -> dict[str, NDArray[np.uint64]]:
    """Send numbers through, a row of all lanes each cycle, operands when they are taken.

    Parameters
    ----------
    dut : handle
    parts : SideBySide
        What the top was made of.
    **inputs : array_like of int
        Patterns by the names of ports, which broadcast; a port without any is zero.

    Returns
    -------
    dict of ndarray of uint64
        By the names of the outputs, each of the shape of all inputs together.
    """
    shape = np.broadcast_shapes(*(np.shape(each) for each in inputs.values()))
    count = int(np.prod(shape))
    rows = -(-count // LANES)
    words = {}
    for name, given in inputs.items():
        column = np.resize(np.broadcast_to(np.asarray(given, np.uint64), shape), (rows, LANES))
        words[name] = drive.pack(data.ArrayLayout(parts.shapes[name].width, LANES), column)
    outputs = {name: [] for name, member in parts.signature.members.items()
               if member.flow is not In}
    for cycle in range(rows + parts.latency):
        for name, column in words.items():
            row = cycle - parts.taken_at.get(name, 0)
            if 0 <= row < rows:
                getattr(dut, name).value = column[row]
        if parts.latency:
            await drive.ticks(dut, 1)  # what is read now was there before this edge
        else:
            await drive.settle(dut)
        if cycle >= parts.latency:
            for name, found in outputs.items():
                found.append(int(getattr(dut, name).value))
    return {name: drive.unpack(data.ArrayLayout(parts.shapes[name].width, LANES), found)
            .ravel()[:count].reshape(shape) for name, found in outputs.items()}


def compare(actual: NDArray, expected: NDArray, what: str, **inputs: NDArray) -> None:
    """Compare patterns, and say of what the first wrong one is."""
    expected = np.asarray(expected)
    if expected.dtype == np.float32:
        expected = expected.view(np.uint32)
    wrong = np.flatnonzero(np.ravel(actual) != np.ravel(expected))
    at = wrong[0] if len(wrong) else 0
    notes = {name: hex(int(np.broadcast_to(each, np.shape(actual)).ravel()[at]))
             for name, each in inputs.items()}
    drive.compare(actual, expected, what, **notes)


def patterns(rng: np.random.Generator, count: int, least: int = 0, most: int = 255) -> NDArray:
    """Draw FP32 patterns of given biased exponents, many with few bits set or near V24's ties."""
    exponent = rng.integers(least, most + 1, count)
    random = rng.integers(0, 1 << 23, count)
    upper = random >> 8 << 8
    mantissa = np.choose(rng.integers(0, 6, count), [
        random, upper, upper | 0x80, upper + rng.integers(0x7F, 0x82, count),
        (1 << rng.integers(0, 24, count)) - 1, 0x7FFFFF ^ (1 << rng.integers(0, 24, count)) >> 1])
    sign = rng.integers(0, 2, count)
    return (sign << 31 | exponent << 23 | mantissa & 0x7FFFFF).astype(np.uint32)


def numbers(bits: ArrayLike) -> NDArray[np.float32]:
    """Read FP32 patterns."""
    return np.asarray(bits, np.uint32).view(np.float32)
