"""Drive and observe a component inside the simulator: reset, streams, packing, comparison.

All random choices come from `rng`, seeded by cocotb with MIXDIT_SEED. Payloads travel as one wide
integer per transfer; `pack` and `unpack` convert between those and NumPy arrays by the component's
own layout.
"""

import itertools
import json
import os
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np
from amaranth import Shape
from amaranth.lib import data
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, Timer
from cocotb.utils import get_sim_time

from hw.memory.clock_crossing import LEAST_RESET

PERIOD_NS = 2
PATIENCE = 100_000
"""Cycles without a transfer after which a stream counts as hung."""

_calls = itertools.count()  # of `send` and `receive` in this test, so that each pauses differently
_STREAM = ("valid", "ready", "payload")
_bus_clock: Clock | None = None  # that of the last reset


@dataclass(frozen=True)
class LongPause:
    """Work for ``after`` cycles, take one long break of ``cycles``, then work without any."""

    after: int
    cycles: int

    def __iter__(self) -> Iterator[bool]:
        return itertools.chain([False] * self.after, [True] * self.cycles, itertools.repeat(False))


Pause = float | LongPause
"""Share of cycles that a stream end takes off at random, or one long break."""


def _handover() -> dict[str, Any]:
    """Return what `bench.run` put into the environment."""
    return json.loads(os.environ["MIXDIT_BENCH"])


def parameters() -> dict[str, Any]:
    """Return what the pytest side handed to `bench.run`."""
    return _handover()["parameters"]


def is_four_state() -> bool:
    """Tell whether the simulator knows X and Z."""
    return _handover()["is_four_state"]


def rng(purpose: str = "") -> np.random.Generator:
    """Return a fresh generator, seeded by MIXDIT_SEED, the test's name (cocotb) and a purpose."""
    return np.random.default_rng([cocotb.RANDOM_SEED, *purpose.encode()])


def amount(quick: int, full: int) -> int:
    """Choose how much to test: the second number under MIXDIT_FULL=1."""
    return full if os.environ.get("MIXDIT_FULL", "0") not in ("", "0") else quick


def clock_of(dut: Any) -> Any:
    """Return the clock port: ``aclk`` at the chip boundary, ``clk`` elsewhere."""
    return dut.aclk if hasattr(dut, "aclk") else dut.clk


def bus_clock_of(dut: Any) -> Any:
    """Return the clock of the bus: its own, or the machine's."""
    own = _own_bus(dut)
    return own[0] if own else clock_of(dut)


def _own_bus(dut: Any) -> tuple[Any, Any, int] | None:
    """Find the bus's own clock and reset, if it has them, and how the reset is when active."""
    if hasattr(dut, "m_axi_aclk"):
        return dut.m_axi_aclk, dut.m_axi_aresetn, 0
    return (dut.bus_clk, dut.bus_rst, 1) if hasattr(dut, "bus_clk") else None


def in_bus_cycles(cycles: int) -> int:
    """Turn cycles of the machine into as many of its bus as fit into them."""
    return int(cycles * PERIOD_NS / parameters().get("bus_period", PERIOD_NS))


def cycle() -> int:
    """Count clock periods since the simulation began."""
    return int(get_sim_time("ns")) // PERIOD_NS


async def reset(dut: Any, cycles: int = 3) -> None:
    """Drive every input to zero, start the clock and reset; a combinational component settles.

    A bus with a clock of its own is reset too: its period, in ns, is the parameter `bus_period`.
    """
    global _calls
    _calls = itertools.count()
    for name in _handover()["inputs"]:
        if name not in ("aclk", "aresetn", "m_axi_aclk", "m_axi_aresetn"):
            getattr(dut, name).value = 0
    if not hasattr(dut, "aclk") and not hasattr(dut, "clk"):
        await Timer(1, "ns")
        return
    line, active = (dut.aresetn, 0) if hasattr(dut, "aresetn") else (dut.rst, 1)
    line.value = active
    Clock(clock_of(dut), PERIOD_NS, "ns").start()
    bus = _own_bus(dut)
    if bus:
        await _begin_bus(*bus)
    await ticks(dut, cycles)
    line.value = 1 - active
    if bus:
        bus[1].value = 1 - bus[2]
    await ticks(dut, 1)


async def _begin_bus(clock: Any, line: Any, active: int) -> None:
    """Start the clock of a bus, anew where it runs, and reset the bus as long as it needs."""
    global _bus_clock
    if _bus_clock is not None:
        _bus_clock.stop()
    period = parameters()["bus_period"]
    line.value = active
    _bus_clock = Clock(clock, period, "ns")
    _bus_clock.start()
    await Timer(LEAST_RESET * max(period, PERIOD_NS), "ns", round_mode="ceil")


async def ticks(dut: Any, cycles: int) -> None:
    """Wait for some rising edges."""
    edge = RisingEdge(clock_of(dut))
    for _ in range(cycles):
        await edge


def _pauses(pause: Pause, name: str) -> Iterator[bool]:
    """Give one boolean per cycle, different ones for each stream."""
    if isinstance(pause, LongPause):
        return iter(pause)
    if not pause:
        return itertools.repeat(False)
    generator = rng(f"{name} {next(_calls)}")
    return (bool(flip) for _ in itertools.count() for flip in generator.random(256) < pause)


async def send(dut: Any, name: str, words: Iterable[int], pause: Pause = 0.0) -> None:
    """Send words over an input stream, idling between them as ``pause`` says.

    While nothing is offered the payload is garbage, another one in each cycle.

    Parameters
    ----------
    dut : handle
        The top.
    name : str
        The stream's prefix, such as ``i`` for ``i__valid``.
    words : iterable of int
        Packed payloads.
    pause : float or LongPause
        When valid stays low.
    """
    valid, ready, payload = (getattr(dut, f"{name}__{part}") for part in _STREAM)
    edge, pauses = RisingEdge(clock_of(dut)), _pauses(pause, name)
    garbage, width = random.Random(f"{cocotb.RANDOM_SEED} {name}"), len(payload)
    for number, word in enumerate(words):
        while next(pauses):
            valid.value = 0
            payload.value = garbage.getrandbits(width)
            await edge
        valid.value = 1
        payload.value = int(word)
        await edge
        waited = 0
        while not int(ready.value):
            await edge
            waited += 1
            assert waited < PATIENCE, f"{name}: hung, word {number} is not taken"
    valid.value = 0
    payload.value = garbage.getrandbits(width)


async def receive(
    dut: Any, name: str, count: int, pause: Pause = 0.0, patience: int = PATIENCE,
    of_word: Callable[[int], int] = lambda word: word,
) -> list[int]:
    """Receive words from an output stream, and check that a stalled word does not change.

    Parameters
    ----------
    dut : handle
        The top.
    name : str
        The stream's prefix.
    count : int
        Words to wait for.
    pause : float or LongPause
        When ready stays low.
    patience : int
        Cycles ready without a word after which the stream counts as hung.
    of_word : callable
        What of a word must not change, and is returned.

    Returns
    -------
    list of int
        Packed payloads.
    """
    valid, ready, payload = (getattr(dut, f"{name}__{part}") for part in _STREAM)
    edge, pauses = RisingEdge(clock_of(dut)), _pauses(pause, name)
    words: list[int] = []
    stalled, quiet = None, 0
    while len(words) < count:
        taking = not next(pauses)
        ready.value = int(taking)
        await edge
        word = of_word(int(payload.value)) if int(valid.value) else None
        if stalled is not None:
            assert word == stalled, f"{name}: word {len(words)} changed or went away while stalled"
        stalled = None if taking else word
        if taking and word is not None:
            words.append(word)
            quiet = 0
        quiet += taking
        assert quiet < patience, f"{name}: hung after {len(words)} of {count} words"
    ready.value = 0
    return words


async def settle(dut: Any) -> None:
    """Let a combinational component follow its inputs."""
    await Timer(1, "ns")


def pack(layout: Any, fields: Mapping[str, Any] | np.ndarray) -> list[int]:
    """Pack arrays into one integer per transfer.

    Parameters
    ----------
    layout : layout or shape
        A `StructLayout` or `data.Struct` of scalars, arrays of scalars and such structs; or an
        `ArrayLayout` of scalars.
    fields : mapping or array
        For a struct, each field's values: shape (n,) or (n, length), or a mapping again. For an
        array, (n, length). What lacks rows is broadcast; a field left out is zero.

    Returns
    -------
    list of int
    """
    bits = _to_bits(layout, fields, _rows(fields))
    octets = np.packbits(bits, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in octets]


def unpack(layout: Any, words: Sequence[int]) -> Any:
    """Undo `pack`; fields of up to 64 bits become uint64, signed ones int64. Scalars work too."""
    octets = (Shape.cast(layout).width + 7) // 8
    joined = b"".join(int(word).to_bytes(octets, "little") for word in words)
    rows = np.frombuffer(joined, np.uint8).reshape(len(words), octets)
    return _from_bits(layout, np.unpackbits(rows, axis=1, bitorder="little"))


def _rows(fields: Any) -> int:
    """Count the transfers in what is to be packed."""
    if isinstance(fields, Mapping):
        return max(_rows(value) for value in fields.values())
    return len(np.atleast_1d(fields))


def _layout(shape: Any) -> data.Layout | None:
    """Return a shape's struct or array layout, None for a scalar or a named number."""
    is_struct = isinstance(shape, type) and issubclass(shape, data.View)
    return data.Layout.cast(shape) if is_struct or isinstance(shape, data.Layout) else None


def _to_bits(shape: Any, value: Any, rows: int) -> np.ndarray:
    """Spell values out as an array (rows, width) of bits, least significant first."""
    layout = _layout(shape)
    if isinstance(layout, data.StructLayout):
        unknown = set(value) - {key for key, _ in layout} if isinstance(value, Mapping) else value
        if unknown:
            raise KeyError(f"not fields of {layout}: {unknown}")
        fields = value if isinstance(value, Mapping) else {}
        columns = [_to_bits(field.shape, fields.get(key, 0), rows) for key, field in layout]
        return np.concatenate(columns, axis=1)
    length = layout.length if layout else 1
    scalar = Shape.cast(layout.elem_shape if layout else shape)
    value = np.asarray(value)
    value = np.broadcast_to(value if layout or not value.ndim else value[:, None], (rows, length))
    value = value.astype(np.int64, casting="unsafe").view(np.uint64)
    bits = value[..., None] >> np.arange(scalar.width, dtype=np.uint64) & np.uint64(1)
    return bits.astype(np.uint8).reshape(rows, -1)


def _from_bits(shape: Any, bits: np.ndarray) -> Any:
    """Read values from an array (rows, at least width) of bits."""
    layout = _layout(shape)
    if isinstance(layout, data.StructLayout):
        return {key: _from_bits(field.shape, bits[:, field.offset :]) for key, field in layout}
    length = layout.length if layout else 1
    scalar = Shape.cast(layout.elem_shape if layout else shape)
    bits = bits[:, : length * scalar.width].reshape(len(bits), length, scalar.width)
    weights = np.uint64(1) << np.arange(scalar.width, dtype=np.uint64)
    value = (bits * weights).sum(axis=-1, dtype=np.uint64)
    if scalar.signed:
        unused = np.uint64(64 - scalar.width)
        value = (value << unused).view(np.int64) >> unused.view(np.int64)
    return value if layout else value[:, 0]


def compare(actual: Any, expected: Any, what: str, **context: Any) -> None:
    """Assert that two results are equal to the bit, or say where they first differ.

    Parameters
    ----------
    actual, expected : array or mapping of arrays
        Integers (bit patterns). A mapping is compared field by field, over the expected fields.
    what : str
        What is compared, for the message.
    **context
        Anything that helps to reproduce, printed on failure.
    """
    if isinstance(expected, Mapping):
        for key in expected:
            compare(actual[key], expected[key], f"{what}.{key}", **context)
        return
    actual, expected = np.asarray(actual), np.asarray(expected)
    context |= {"seed": _handover()["seed"]}
    notes = ", ".join(f"{key}={value}" for key, value in context.items())
    assert actual.shape == expected.shape, (
        f"{what}: shape {actual.shape}, expected {expected.shape} ({notes})"
    )
    different = np.argwhere(actual != expected)
    if len(different):
        where = tuple(int(index) for index in different[0])
        got, wanted = int(actual[where]), int(expected[where])
        raise AssertionError(
            f"{what}: {len(different)} of {actual.size} differ in shape {actual.shape}, first at"
            f" {list(where)}: got {got:#x} ({got}), expected {wanted:#x} ({wanted}) ({notes})"
        )
