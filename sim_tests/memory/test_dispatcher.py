"""Commands to jobs and works: every fault as golden finds it, every iteration, what has ended."""

import cocotb
import pytest

from golden.memory import Command, Fault, Machine, Operation
from golden.memory.descriptor import BYTES, FIELD, JobFlag
from golden.memory.jobs import JobKind, Output
from hw.contract.config import Config
from hw.contract.job_codes import AnyKind
from hw.memory.descriptor import descriptor_of
from hw.memory.dispatcher import Dispatcher
from hw.memory.work import UNDER_WAY
from sim_tests import bench, drive
from sim_tests.memory.commands import ADDRESS_BITS, fault_of, good, good_pass
from sim_tests.memory.dispatching import SIZES, Accounted, Run, as_read, bits_of, layouts
from sim_tests.stimuli.operands import configuration, handed_over

PLAIN = {"loads_order": 0, "loads_tags": 0, "notify": 0}
ALL_BESIDE = JobFlag.BIAS | JobFlag.CHANNEL | JobFlag.RESIDUAL


def has_vector():
    return bool(configuration().vector_lanes)


def draw(rng, share=0.5, **values):
    """Draw a good command; of a machine with a vector unit so many are passes."""
    return (good_pass if has_vector() and rng.random() < share else good)(rng, **values)


# What a descriptor has by itself.


async def find(dut, bits, resp=0, notify=0):
    """Offer a descriptor after a reset, and return the fault.

    Without one the job must start, or what it needs before be asked for.
    """
    for name in ("free", "i__valid", *(f"{each}__ready" for each in layouts())):
        getattr(dut, name).value = 0
    dut.rst.value = 1
    await drive.ticks(dut, 1)
    dut.rst.value, dut.i__valid.value = 0, 1
    dut.i__payload.value = as_read(bits, resp)
    dut.free.value, dut.notify_address.value = 1, notify
    for name in layouts():
        getattr(dut, f"{name}__ready").value = 1
    for _ in range(6):
        await drive.ticks(dut, 1)
        if any(int(port.value) for port in (dut.start, dut.load__valid, dut.watch__valid)):
            assert not int(dut.fault.value)
            return Fault.NONE
    return Fault(int(dut.fault.value))


async def compare_faults(dut, cases, *, seen=()):
    """Compare the fault of each (bits, resp) to golden's; those named have to come up."""
    rng = drive.rng("notify")
    config, found = configuration(), set()
    machine = Machine(rows=config.rows, cols=config.cols, has_vector=has_vector())
    for number, (bits, resp) in enumerate(cases):
        notify = int(rng.integers(1 << 40)) & (-1 if rng.random() < 0.1 else -4)
        # Without WAIT_SIDE: after a reset nothing has ended.
        is_wait = FIELD["OPERATION"].take(bits) == Operation.WAIT.value
        bits &= -1 if is_wait else ~FIELD["WAIT_SIDE"].mask
        expected = fault_of(machine, bits.to_bytes(BYTES, "little"), resp, notify)
        got = await find(dut, bits, resp, notify)
        assert got == expected, f"case {number}, resp {resp}, {bits:#x}: {got!r}, {expected!r}"
        found.add(got)
    assert found >= set(seen), f"only {found} came up"


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def every_reserved_bit_must_be_zero(dut):
    await drive.reset(dut)
    rng = drive.rng()
    job, wait = good(rng), Command(operation=Operation.WAIT, a=64, sequence=3)
    commands = {Operation.JOB: job, Operation.WAIT: wait, Operation.VECTOR: good_pass(rng)}
    cases = [(bits_of(commands[operation]) | 1 << bit, 0)
             for operation, mask in descriptor_of(configuration()).reserved.items()
             for bit in range(8 * BYTES) if mask >> bit & 1]
    assert len(cases) > 1_500
    await compare_faults(dut, [*cases, (bits_of(job), 0)], seen={Fault.RESERVED, Fault.NONE})


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def every_version_and_operation_is_known_or_refused(dut):
    await drive.reset(dut)
    rng = drive.rng()
    cases = []
    for name in ("VERSION", "OPERATION"):
        for value in range(256):
            command = bits_of(draw(rng)) & ~FIELD[name].mask | FIELD[name].put(value)
            cases.append((command, 0))
    seen = {Fault.UNKNOWN_VERSION, Fault.UNKNOWN_OPERATION, Fault.NONE}
    await compare_faults(dut, cases, seen=seen)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def both_counts_are_at_least_one(dut):
    await drive.reset(dut)
    rng = drive.rng()
    cases = [(bits_of(draw(rng, count_0=inner, count_1=outer)), 0)
             for inner in (0, 1, 256, 65535) for outer in (0, 1, 256, 65535)]
    await compare_faults(dut, cases, seen={Fault.NO_COUNT, Fault.NONE})


def places():
    """Name what an address is for, and all that says where it lies."""
    known = descriptor_of(configuration())
    return tuple(known.places), [
        name for name in (f"{place}{end}" for place in known.places
                          for end in ("", "_stride", "_step_0", "_step_1"))
        if name in dict(known.layout)]


def a_bit_each(rng, command, names, count):
    """Set some of the lowest bits, one at a time, in each of some fields that are zero."""
    return [(bits_of(command) | FIELD[name.upper()].put(1 << int(bit)), 0)
            for name in names for bit in rng.choice(7, count, replace=False)]


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def every_place_is_aligned_as_its_layout_asks(dut):
    """One bit below 64 is set, in each address, stride and step, of each kind and format."""
    await drive.reset(dut)
    rng, cases = drive.rng(), []
    ends = places()[1]
    assert len(ends) == 4 * 4 - 1 + 2 + 7 * has_vector()
    for kind in JobKind:
        for float_format in range(3):
            for output in [Output.FP32] if kind.converts else Output:
                command = good(rng, kind=kind, format=float_format, output=output,
                               flags=0 if kind.converts else int(rng.integers(8)),
                               loads_order=int(rng.integers(2)), loads_tags=int(rng.integers(2)),
                               **dict.fromkeys(ends, 0))
                cases += a_bit_each(rng, command, ends, 7 if len(cases) < 300 else 3)
    if has_vector():
        ends = [name for name in ends if Operation.VECTOR in FIELD[name.upper()].operations]
        for float_format in range(3):
            for output in Output:
                command = good_pass(rng, format=float_format, output=output,
                                    loads_tags=int(rng.integers(2)), **dict.fromkeys(ends, 0))
                cases += a_bit_each(rng, command, ends, 3)
    await compare_faults(dut, cases, seen={Fault.UNALIGNED, Fault.NONE})


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def every_address_has_to_be_one_of_the_bus(dut):
    """Each bit above alone, of each operand, which counts only where it is used."""
    await drive.reset(dut)
    rng, cases = drive.rng(), []
    for name in places()[0]:
        is_of_passes = Operation.VECTOR in FIELD[name.upper()].operations
        for bit in range(ADDRESS_BITS - 2, 64):
            for kind in rng.permutation(list(JobKind))[:2]:
                command = good(rng, kind=kind, loads_order=int(rng.integers(2)),
                               loads_tags=int(rng.integers(2)))
                if has_vector() and is_of_passes and rng.random() < 0.5:
                    command = good_pass(rng, loads_tags=int(rng.integers(2)))
                cases.append((bits_of(command) & ~FIELD[name.upper()].mask
                              | FIELD[name.upper()].put(1 << bit), 0))
    for bit in range(2, 64):
        cases.append((bits_of(Command(operation=Operation.WAIT, a=1 << bit)), 0))
    await compare_faults(dut, cases, seen={Fault.OUTSIDE, Fault.NONE})


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_row_may_be_as_long_as_its_stride(dut):
    """N at every power of two, and about it, with strides of a row and of one number less."""
    await drive.reset(dut)
    rng, cases = drive.rng(), []
    for output, size in ((Output.FP32, 4), (Output.FP16, 2)):
        for n in [(1 << bit) + off for bit in range(1, 32) for off in (-1, 0, 1)]:
            for m in (1, 2):
                for short in (0, size):
                    stride = (n * size - short) % (1 << 32)
                    choices = {"output": output, "n": n, "c_stride": stride}
                    command = (good_pass(rng, **choices) if has_vector() and rng.random() < 0.5
                               else good(rng, kind=JobKind.GEMM, **choices))
                    bits = bits_of(command) & ~FIELD["M"].mask | FIELD["M"].put(m)
                    cases.append((bits, 0))
    await compare_faults(dut, cases, seen={Fault.OVERLONG, Fault.NONE})


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def finds_what_golden_finds_in_anything(dut):
    """Fields of any value, codes that stand for nothing too, and several faults at once."""
    await drive.reset(dut)
    rng, cases = drive.rng(), []
    for _ in range(drive.amount(1_000, 10_000)):
        command = draw(rng)
        bits, operation = bits_of(command), Operation(command.operation)
        for name, field in FIELD.items():
            share = 0.1 if operation in field.operations else 0.02
            if rng.random() < share and name not in ("VERSION", "OPERATION", "SEQUENCE", "GOES_ON"):
                value = int.from_bytes(rng.bytes(8), "little") >> int(rng.integers(64))
                value = value << int(rng.integers(8)) & (1 << field.width) - 1
                bits = bits & ~field.mask | field.put(value)
        if rng.random() < 0.1:
            bits |= 1 << int(rng.integers(32 * 33, 8 * BYTES))
        if rng.random() < 0.1:
            bits ^= 1 << int(rng.integers(16))
        cases.append((bits, int(rng.integers(4)) if rng.random() < 0.2 else 0))
    for _ in range(100):
        place = int(rng.integers(1 << 41)) & (-1 if rng.random() < 0.3 else -4)
        wait = Command(operation=Operation.WAIT, a=place, sequence=int(rng.integers(1 << 32)),
                       notify=int(rng.integers(2)))
        cases.append((bits_of(wait), 0))
    await compare_faults(dut, cases, seen={
        Fault.READ_SLVERR, Fault.READ_DECERR, Fault.UNKNOWN_VERSION, Fault.UNKNOWN_OPERATION,
        Fault.RESERVED, Fault.NO_COUNT, Fault.UNALIGNED, Fault.OUTSIDE, Fault.OVERLONG, Fault.NONE})


# What becomes of good ones.


def wait_of(rng):
    """Draw a WAIT."""
    return Command(operation=Operation.WAIT, a=int(rng.integers(1 << 38)) * 4,
                   sequence=int(rng.integers(1 << 32)), notify=int(rng.integers(2)),
                   interrupt=int(rng.integers(2)))


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def hands_out_every_iteration(dut, idle, stall):
    await drive.reset(dut)
    rng = drive.rng()
    commands = [good(rng, kind=kind) if rng.random() < 0.8 else wait_of(rng)
                for _ in range(drive.amount(8, 80)) for kind in JobKind]
    if has_vector():
        commands += [good_pass(rng) for _ in range(len(commands) // 2)]
        commands = [commands[at] for at in rng.permutation(len(commands))]
    run = Run(dut, commands, idle=idle, stall=stall)
    await run.until(run.has_ended(len(commands)))
    await run.steps(10)
    run.compare(len(commands))
    assert run.interrupts == [command.interrupt for command in commands]
    assert run.completed == len(commands) and not int(dut.fault.value)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def counts_go_up_to_their_last_value(dut):
    await drive.reset(dut)
    rng = drive.rng()
    steps = {f"{place}_step_{level}": 64 * int(rng.integers(1 << 16))
             for place in ("a", "c", "bias") for level in (0, 1)}
    commands = [draw(rng, count_0=inner, count_1=outer, **steps)
                for inner, outer in ((300, 1), (1, 300), (17, 18), (1, 1))]
    run = Run(dut, commands)
    await run.until(run.has_ended(len(commands)))
    run.compare(len(commands))


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(level=[0, 1])
async def addresses_beyond_the_last_are_marked_and_stay_so(dut, level):
    """Steps go so far that the lower bits begin anew."""
    await drive.reset(dut)
    rng = drive.rng()
    counts = {f"count_{level}": 300, f"count_{1 - level}": 2}
    commands = []
    for _ in range(2):
        of_passes = ("a", "c", "bias", "channel", "residual") if has_vector() else ()
        places = {name: (1 << ADDRESS_BITS - 1) - 64 * int(rng.integers(1, 1 << 20))
                  for name in of_passes or ("a", "b", "c", "bias")}
        steps = {f"{name}_step_{level}": (1 << 32) - 64 * int(rng.integers(1, 1 << 18))
                 for name in places}
        chosen = counts | places | steps
        commands.append(good_pass(rng, flags=ALL_BESIDE, **chosen) if of_passes
                        else good(rng, kind=JobKind.GEMM, **chosen))
    run = Run(dut, commands)
    await run.until(run.has_ended(len(commands)))
    run.compare(len(commands))


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def hands_out_an_iteration_each_cycle(dut):
    await drive.reset(dut)
    run = Run(dut, [good(drive.rng(), count_0=7, count_1=5, **PLAIN)])
    await run.until(run.has_ended(1))
    assert run.cycles[-1] - run.cycles[0] == 34


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(name=["free", "act__ready", "weight__ready", "results__ready",
                          "beside__ready"])
async def survives_a_long_pause(dut, name):
    """While one of them takes nothing, nobody is given anything."""
    if name == "beside__ready" and not has_vector():
        return
    await drive.reset(dut)
    rng = drive.rng()
    commands = [good(rng, kind=JobKind.GEMM, count_0=4, **PLAIN) for _ in range(4)]
    run = Run(dut, commands)
    await run.until(lambda: len(run.begun) == 3)
    run.held = name
    await run.steps(300)
    assert len(run.begun) == 3
    run.held = ""
    await run.until(run.has_ended(4))
    run.compare(4)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def stops_while_many_commands_have_not_ended(dut):
    await drive.reset(dut)
    rng = drive.rng()
    commands = [good(rng, count_0=1, count_1=2, **PLAIN) for _ in range(3 * UNDER_WAY)]
    run = Run(dut, commands)
    run.ends = False
    await run.steps(200)
    assert UNDER_WAY <= run.at < 2 * UNDER_WAY
    assert run.completed == 0
    run.ends = True
    await run.until(run.has_ended(len(commands)))
    await run.steps(3)
    run.compare(len(commands))
    assert run.interrupts == [command.interrupt for command in commands]
    assert run.completed == len(commands)


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(refused=[0, 3])
async def stands_still_at_what_is_refused(dut, refused):
    """What began before ends; of the command that is refused nobody is told."""
    await drive.reset(dut)
    rng = drive.rng()
    commands = [good(rng) for _ in range(6)]
    run = Run(dut, commands, refused=refused, stall=0.5)
    await run.until(lambda: run.refusals)
    await run.steps(100)
    assert run.refusals == 1 and run.at == refused
    assert int(dut.fault.value) == Fault.REFUSED
    run.compare(refused)
    assert run.completed == refused == len(run.interrupts)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_fault_stays_and_stops_what_follows(dut):
    await drive.reset(dut)
    rng = drive.rng()
    wrong = good(rng, kind=JobKind.GEMM, b_stride=32)
    run = Run(dut, [good(rng), wrong, good(rng)])
    await run.until(lambda: int(dut.fault.value))
    await run.steps(60)
    assert int(dut.fault.value) == Fault.UNALIGNED and run.at == 1
    run.compare(1)
    # Whatever is on offer then: the fault is that of the command that had it.
    run.commands[1] = good(rng)
    await run.steps(60)
    assert int(dut.fault.value) == Fault.UNALIGNED and run.at == 1
    run.compare(1)
    assert run.completed == 1 == len(run.interrupts)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def no_job_is_a_pass_by_its_kind(dut):
    """Whatever number it names; passes name none."""
    if not has_vector():
        return
    await drive.reset(dut)
    rng, seen = drive.rng(), {}
    for kind in range(256):
        bits = bits_of(good(rng, kind=JobKind.GEMM)) | FIELD["KIND"].put(kind)
        dut.i__payload.value = as_read(bits)
        await drive.ticks(dut, 1)
        seen[kind] = int(dut.job_kind.value)
    assert AnyKind.VECTOR.value not in seen.values() and len({*seen.values()}) == 256
    assert all(seen[kind.value] == kind.value for kind in JobKind)
    dut.i__payload.value = as_read(bits_of(good_pass(rng)))
    await drive.ticks(dut, 1)
    assert int(dut.job_kind.value) == AnyKind.VECTOR.value


@pytest.mark.parametrize("rows, cols", [(4, 4), (3, 5)])
def test_dispatcher(rows, cols):
    simulate(Config.sized(rows=rows, cols=cols))


@pytest.mark.parametrize("rows, cols, lanes", [(4, 4, 2), (3, 5, 1)])
def test_dispatcher_of_a_vector_unit(rows, cols, lanes):
    simulate(Config.sized(rows=rows, cols=cols, bus_bytes=32, vector_lanes=lanes))


def simulate(config):
    bench.simulate(Accounted(Dispatcher(config, **SIZES)), __name__,
                   f"dispatcher_{config.rows}x{config.cols}"
                   f"{'_vector' * bool(config.vector_lanes)}",
                   parameters=handed_over(config))
