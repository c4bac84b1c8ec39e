"""Commands for the dispatcher's bench: good ones of every kind, and what golden finds in others."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from golden.memory import Command, Fault, Machine, Memory, Ring
from golden.memory.descriptor import BYTES, JobFlag, Operation
from golden.memory.faults import CommandError
from golden.memory.jobs import FORMAT_CODES, JobKind, Output, Selection
from golden.memory.layouts import check_places
from hw.contract.config import Config
from hw.memory.axi4 import OUTSIDE
from hw.memory.work import FENCE_BITS, Form, Walk
from sim_tests.memory.addresses import reached

ADDRESS_BITS = 41
"""Inside."""

COUNTS = 1 << 32
PLACE = 1 << 39
"""Of a descriptor; no command reads or writes there."""


def good(rng: np.random.Generator, **values: Any) -> Command:
    """Draw a job in which the dispatcher finds nothing: kinds, sizes and places of any value.

    The addresses of all iterations have 40 bits. Fields may be chosen.
    """
    number = partial(_number, rng)
    kind = JobKind(values.get("kind", rng.integers(4)))
    is_wide = values.setdefault("format", int(rng.integers(3))) == FORMAT_CODES["fp32"]
    output = 0 if kind.converts else int(rng.integers(5))
    output = int(Output(values.setdefault("output", output)).value)
    units = {"a": 64 if kind is JobKind.GEMM_PACKED else 4 if is_wide else 2,
             "b": 1 if kind.converts else 64, "bias": 4,
             "c": 64 if kind.converts or output >= 3 else 2 if output else 4}
    places = _places(rng, units, strides=("a", "b", "c"))
    flags = int(rng.integers(8))
    drawn = {
        "kind": kind, "m": number(32), "n": number(32), "k": number(16), "tiles": number(3),
        "flags": flags & ~JobFlag.BIAS if kind.converts else flags, "table": number(8),
        "selection": Selection(rng.integers(4)), "units": number(16), "threshold": number(32),
        "count_0": int(rng.integers(1, 5)), "count_1": int(rng.integers(1, 5)),
        **{f"wait_{name}": number(8) * int(rng.integers(2)) for name in ("a", "b", "side")},
        "interrupt": int(rng.integers(2)), "notify": int(rng.random() < 0.2),
        "loads_order": int(rng.random() < 0.2), "loads_tags": int(rng.random() < 0.2),
        "order": number(39, 64), "tags": number(39, 64)}
    drawn |= places | values
    row = int(drawn["n"]) * (2 if output else 4)
    if not kind.converts and output < Output.MX6.value and "c_stride" not in values:
        if row >= 1 << 31:
            drawn["m"] = 1  # no stride is as long
        elif row > drawn["c_stride"]:
            drawn["c_stride"] = row + number(30, units["c"])
    return Command(**drawn)


def good_pass(rng: np.random.Generator, **values: Any) -> Command:
    """Draw a pass in which the dispatcher finds nothing, as `good` draws jobs.

    Its rows are no longer than those of any machine.
    """
    number = partial(_number, rng)
    is_wide = values.setdefault("format", int(rng.integers(3))) == FORMAT_CODES["fp32"]
    output = Output(values.setdefault("output", int(rng.integers(5))))
    size = 4 if output is Output.FP32 else 2
    places = _places(rng, {
        "a": 4 if is_wide else 2, "c": 64 if output in (Output.MX6, Output.MX9) else size,
        "bias": 4, "channel": 4, "residual": 4}, strides=("a", "c", "residual"))
    drawn = {
        "operation": Operation.VECTOR, "m": number(32), "n": number(16), "table": number(8),
        "flags": int(rng.integers(256)), "function": number(8), "rows": number(8),
        "scalar": number(32), "selection": Selection(rng.integers(4)), "units": number(16),
        "threshold": number(32), "count_0": int(rng.integers(1, 5)),
        "count_1": int(rng.integers(1, 5)), "interrupt": int(rng.integers(2)),
        **{f"wait_{name}": number(8) * int(rng.integers(2))
           for name in ("a", "side", "residual")},
        "notify": int(rng.random() < 0.2), "loads_tags": int(rng.random() < 0.2),
        "tags": number(39, 64)} | places
    if rng.random() < 0.3:
        drawn["residual_stride"] = 0
    drawn |= values
    if output.value < Output.MX6.value and "c_stride" not in values:
        drawn["c_stride"] = int(drawn["n"]) * size + number(30, size)
    return Command(**drawn)


def _number(rng: np.random.Generator, bits: int, unit: int = 1) -> int:
    """Draw a number of any magnitude."""
    return int(rng.integers(1 << int(rng.integers(1, bits + 1)))) // unit * unit


def _places(rng: np.random.Generator, units: dict[str, int],
            strides: tuple[str, ...]) -> dict[str, int]:
    """Draw where operands lie, multiples of a unit each; some have strides."""
    places = {}
    for name, unit in units.items():
        places |= {name: _number(rng, 39, unit), f"{name}_step_0": _number(rng, 32, unit),
                   f"{name}_step_1": _number(rng, 32, unit)}
        if name in strides:
            places[f"{name}_stride"] = _number(rng, 32, unit)
    return places


class Oracle(Ring):
    """A ring that does not list what a faulty command may have written, which may be endless."""

    def _note_half_done(self, ahead: int) -> None:
        pass


def fault_of(machine: Machine, descriptor: bytes, resp: int = 0, notify: int = 0) -> Fault:
    """Return golden's fault of a descriptor, read with an answer of the bus; nothing else is there.

    What only the job itself could have, such as an operand that is not there, is NONE. Counts go to
    the address `notify`.
    """
    if resp == OUTSIDE:
        return Fault.OUTSIDE
    memory = Memory()
    if resp < 3:
        memory.add(PLACE, BYTES)
        memory.write(PLACE, descriptor)
    if resp == 2:
        memory.broken.append((PLACE, BYTES))
    ring = Oracle(machine, memory, PLACE, 1, notify_address=notify)
    ring.doorbell(1)
    own = {Fault.UNKNOWN_VERSION, Fault.UNKNOWN_OPERATION, Fault.RESERVED, Fault.UNALIGNED,
           Fault.NO_COUNT, Fault.OVERLONG}
    if resp >= 2:
        own |= {Fault.READ_SLVERR, Fault.READ_DECERR}
    try:
        command = Command.unpack(descriptor, has_vector=machine.has_vector)
        if command.operation == Operation.WAIT.value and command.a >> machine.address_bits:
            own.add(Fault.OUTSIDE)  # no access is needed to see it
        elif command.operation != Operation.WAIT.value:
            check_places(machine, command)
    except CommandError as error:
        own.add(error.fault)  # OUTSIDE too
    return ring.fault if ring.fault in own else Fault.NONE


def iterations(config: Config, command: Command, sequence: int) -> Iterator[dict[str, Any]]:
    """List what each iteration of a command is, by loops: of each work the fields that count.

    Addresses are as they are inside.

    Yields
    ------
    dict
        Fields of ``act``, ``results``, ``weight`` and ``beside``; None where there is no such work.
    """
    for outer in range(command.count_1):
        for inner in range(command.count_0):
            at = {name: reached(getattr(command, name) + inner * getattr(command, f"{name}_step_0")
                                + outer * getattr(command, f"{name}_step_1"), ADDRESS_BITS)
                  for name in ("a", "b", "c", "bias", "channel", "residual")}
            is_last = (inner, outer) == (command.count_0 - 1, command.count_1 - 1)
            yield {"act": _activations(command, at["a"], sequence),
                   "weight": _weights(config, command, at, sequence),
                   "beside": _beside(command, at, sequence),
                   "results": _results(config, command, at["c"], is_last)}


def _fence(sequence: int, distance: int) -> dict[str, int]:
    """Say that the command so many before this one has to have ended."""
    if not distance:
        return {"waits": 0}
    return {"waits": 1, "ended": (sequence - distance + 1) % (1 << FENCE_BITS)}


def _activations(command: Command, address: int, sequence: int) -> dict[str, Any]:
    is_wide = command.format == FORMAT_CODES["fp32"]
    fields = {"address": address, "stride": command.a_stride,
              "fence": _fence(sequence, command.wait_a)}
    match JobKind(command.kind):
        case JobKind.GEMM:
            return fields | {"walk": Walk.ROWS, "rows": command.m,
                             "length": command.columns * (4 if is_wide else 2)}
        case JobKind.GEMM_PACKED:
            return fields | {"walk": Walk.TILES, "rows": command.m,
                             "k_blocks": -(-command.k // 16)}
        case JobKind.CONVERT:
            return fields | {"walk": Walk.ROWS, "rows": command.n,
                             "length": command.k * (4 if is_wide else 2)}
        case JobKind.CONVERT_TRANSPOSED:
            return fields | {"walk": Walk.COLUMNS, "rows": command.k, "cols": command.n,
                             "is_wide": int(is_wide)}


def _weights(config: Config, command: Command, at: dict[str, int],
             sequence: int) -> dict[str, Any] | None:
    if command.converts or command.is_vector:
        return None
    has_bias = command.flags & JobFlag.BIAS
    fields = {"address": at["b"], "stride": command.b_stride, "has_bias": int(has_bias),
              "m": command.m, "n": command.n, "k_blocks": -(-command.k // 16),
              "group_rows": command.tiles * config.rows, "fence": _fence(sequence, command.wait_b)}
    if has_bias:
        fields |= {"bias": at["bias"], "side_fence": _fence(sequence, command.wait_side)}
    return fields


def _beside(command: Command, at: dict[str, int], sequence: int) -> dict[str, Any] | None:
    flags = {"bias": JobFlag.BIAS, "channel": JobFlag.CHANNEL, "residual": JobFlag.RESIDUAL}
    has = {name: int(bool(command.flags & flag)) for name, flag in flags.items()}
    if not command.is_vector or not any(has.values()):
        return None
    return {**{name: at[name] for name in has}, "length": 4 * command.n, "m": command.m,
            **{f"has_{name}": each for name, each in has.items()},
            "stride": command.residual_stride, "side_fence": _fence(sequence, command.wait_side),
            "residual_fence": _fence(sequence, command.wait_residual)}


def _results(config: Config, command: Command, address: int, is_last: bool) -> dict[str, Any]:
    fields = {"address": address, "stride": command.c_stride, "n": command.n,
              "ends": int(is_last and not command.notify)}
    if config.vector_lanes:
        fields["of_rows"] = int(command.is_vector)
    if command.converts:
        return fields | {"form": Form.WEIGHTS}
    fields |= {"m": command.m}
    output = Output(command.output)
    if command.is_vector and command.is_packed:
        return fields | {"form": Form.WEIGHTS}
    fields["group_rows"] = 1 if command.is_vector else command.tiles * config.rows
    if command.is_packed:
        return fields | {"form": Form.BLOCKS, "is_mx9": int(output is Output.MX9)}
    return fields | {"form": Form.NUMBERS, "is_wide": int(output is Output.FP32)}
