"""Finds what is wrong with a descriptor by itself."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from golden.formats import FP32
from golden.memory.descriptor import ALIGNMENT, VERSION, WORD_BYTES, JobFlag, Operation
from golden.memory.faults import Fault
from hw.contract.job_codes import FORMAT_CODES, JobKind, Output
from hw.registers.ring_map import FAULT_BITS

from .axi4 import reach
from .descriptor import PLAIN
from .ledger import READ_FAULTS
from .tile_reader import BIAS_BYTES

BESIDE = {"bias": JobFlag.BIAS, "channel": JobFlag.CHANNEL, "residual": JobFlag.RESIDUAL}
"""Operands of FP32 numbers, which a command has where it has a flag."""


class DescriptorCheck(wiring.Component):
    """Name the first fault that golden would, in the same cycle.

    Parameters
    ----------
    address_bits : int
        Of addresses inside.
    descriptor : Descriptor
        That the machine knows.

    Members
    -------
    bits : In(descriptor.bits), reserved : In(len(descriptor.reserved)), resp : In(2)
        As in `read_layout`.
    notify_address : In(address_bits)
    found : Out(FAULT_BITS)
    is_readable : Out(1)
        What it says otherwise means something.
    """

    def __init__(self, *, address_bits, descriptor=PLAIN):
        self.bus_bits, self.descriptor = address_bits - 1, descriptor
        super().__init__({
            "bits": In(descriptor.bits), "reserved": In(len(descriptor.reserved)), "resp": In(2),
            "notify_address": In(address_bits),
            "found": Out(FAULT_BITS), "is_readable": Out(1)})

    def elaborate(self, platform):
        m = Module()
        operations = self.descriptor.reserved
        command = Signal(self.descriptor.layout)
        m.d.comb += command.as_value().eq(self.bits)
        is_wait = command.operation == Operation.WAIT.value
        reserved = Signal()
        with m.Switch(command.operation):
            for operation, is_set in zip(operations, self.reserved, strict=True):
                with m.Case(operation.value):
                    m.d.comb += reserved.eq(is_set)
        unreadable = [
            *((fault, self.resp == resp) for resp, fault in READ_FAULTS.items()),
            (Fault.UNKNOWN_VERSION, command.version != VERSION),
            (Fault.UNKNOWN_OPERATION, ~Cat(
                command.operation == operation.value for operation in operations).any()),
            (Fault.RESERVED, reserved)]
        converts = (command.kind & JobKind.CONVERT.value).any()
        numbers = ~converts & (command.output < Output.MX6.value)
        wide_c = command.output == Output.FP32.value
        fails = [
            *unreadable,
            (Fault.NO_COUNT, ~is_wait & ((command.count_0 == 0) | (command.count_1 == 0))),
            (Fault.UNALIGNED, self._is_unaligned(command, converts, numbers, is_wait)),
            (Fault.OUTSIDE, self._is_beyond(command, converts, is_wait)),
            (Fault.OVERLONG, ~is_wait & numbers & (command.m > 1)
             & ((command.n << 1 + wide_c) > command.c_stride))]
        for fault, holds in reversed(fails):  # the last that is assigned stays
            with m.If(holds):
                m.d.comb += self.found.eq(fault.value)
        m.d.comb += self.is_readable.eq(~Cat(holds for _, holds in unreadable).any())
        return m

    def _is_unaligned(self, command, converts, numbers, is_wait):
        """Tell whether an operand lies where its layout does not let it."""
        def low(operand, unit):
            """Give the bits below a unit of all that says where an operand lies."""
            bits = exact_log2(unit)
            return Cat(command[f"{operand}{end}"][:bits]
                       for end in ("", "_stride", "_step_0", "_step_1")
                       if f"{operand}{end}" in dict(self.descriptor.layout)).any()

        wide_a = command.format == FORMAT_CODES[FP32.name]
        wide_c = command.output == Output.FP32.value
        packed_a = command.kind == JobKind.GEMM_PACKED.value
        operands = Cat(
            Mux(packed_a, low("a", ALIGNMENT), Mux(wide_a, low("a", 4), low("a", 2))),
            Mux(numbers, Mux(wide_c, low("c", 4), low("c", 2)), low("c", ALIGNMENT)),
            ~converts & low("b", ALIGNMENT),
            *(is_used & low(operand, BIAS_BYTES)
              for operand, is_used in self._beside(command).items()),
            command.loads_order & low("order", ALIGNMENT),
            command.loads_tags & low("tags", ALIGNMENT)).any()
        word = exact_log2(WORD_BYTES)
        return Mux(is_wait, command.a[:word].any(), operands) | (
            command.notify & self.notify_address[:word].any())

    def _beside(self, command):
        """Tell for each operand of numbers beside its rows whether a command has it."""
        return {operand: command.flags[exact_log2(flag)] for operand, flag in BESIDE.items()
                if operand in self.descriptor.places}

    def _is_beyond(self, command, converts, is_wait):
        """Tell whether an operand lies at an address that the bus does not have."""
        uses = {"a": 1, "b": ~converts, "c": 1, **self._beside(command),
                "order": command.loads_order, "tags": command.loads_tags}
        return Cat((~is_wait if operand != "a" else 1) & used
                   & reach(command[operand], self.bus_bits)[-1]
                   for operand, used in uses.items()).any()
