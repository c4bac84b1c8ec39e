"""The machine as software sees it: what is sent, what comes back, what is refused and noticed."""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

import golden
from golden import MX4, MX6, MX9, Policy
from golden.packing import activation_rows, weight_stream
from hw.contract.config import Config
from hw.contract.job_codes import JobKind, Output, Selection
from hw.host.carrier import ACTIVATIONS, LIMIT, WEIGHTS
from hw.host.carrier_driver import LOOK, complete
from hw.host.driver_errors import (
    BusError,
    JobRefusedError,
    NoMachineError,
    ResultLengthError,
    StreamFaultError,
    WaitTimeoutError,
)
from hw.host.job_request import Job
from hw.host.machine import Machine
from hw.host.packet_order import result_packets
from hw.host.requests import conversion_work, gemm_work
from hw.host.results import as_array
from hw.host.work import Work
from hw.registers.map import ADDRESSES, FAULTS, StreamFault
from sim_tests.host.register_stand_in import JOB_SLOTS, SMALL, StandIn
from simulation.works.expected import expected_results, operand_a, operand_b
from simulation.works.random_works import make_work

OUTPUT_PENDING = 1 << 17
"""In STATUS."""

CYCLES = {"cycles": 1 << 33}


class Lines:
    """A carrier to a machine that knows its lines: it says what it was given, and notes the rest.

    Attributes
    ----------
    replies : deque of bytes
        Packets that it will give.
    lasts : deque of int
        For each job that it will end, how many of them.
    """

    def __init__(self, config: Config = SMALL):
        self.registers = StandIn(config)
        self.replies: deque[bytes] = deque()
        self.lasts: deque[int] = deque()
        self.sent: list[tuple[str, bytes]] = []
        self.cycles, self.drained, self.dry_after = 0, 0, 1
        self.most_under_way = 0

    def read(self, address: int) -> int:
        """Read a register."""
        return self.registers.read(address)

    def write(self, address: int, value: int) -> None:
        """Write a register."""
        self.registers.write(address, value)
        self.most_under_way = max(self.most_under_way, len(self.registers.under_way))

    def advance(self, cycles: int) -> None:
        """Let time pass."""
        self.cycles += cycles

    def wait_for_interrupt(self, limit: int = LIMIT) -> None:
        """End the oldest job, if it is one that ends; raise what is pending."""
        if not self.registers.values["IRQ_PENDING"]:
            if not self.lasts:
                self.cycles += limit
                raise WaitTimeoutError("nothing happens")
            self.registers.end_job(CYCLES)
            self.cycles += 100

    def send(self, stream: str, packets: Iterable[bytes]) -> None:
        """Note packets."""
        self.sent += [(stream, packet) for packet in packets]

    def take(self, packets: int, limit: int = LIMIT) -> list[bytes]:
        """Give the packets of the job that ended last."""
        assert self.lasts.popleft() == packets
        return [self.replies.popleft() for _ in range(packets)]

    def drain(self, limit: int = LIMIT) -> None:
        """Forget everything."""
        assert self.registers.draining, "the machine would take the packets for those of a job"
        self.replies.clear()
        self.drained += 1
        self.cycles += 1
        if self.drained == self.dry_after:
            self.registers.values["STATUS"] &= ~OUTPUT_PENDING

    def will_give(self, *packets: bytes) -> None:
        """End one more job, which gives these packets."""
        self.replies += packets
        self.lasts.append(len(packets))


def replies_of(config: Config, work: Work) -> list[bytes]:
    """Cut what golden computes into a job's packets."""
    expected = expected_results(config, work)
    if not isinstance(expected, np.ndarray):
        return expected
    return [expected[part.row : part.row + part.rows, part.col : part.col + part.cols].tobytes()
            for part in result_packets(config, work.job)]


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def machine(lines) -> Machine:
    return Machine(lines)


def numbers(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_the_machine_says_how_it_was_built(machine):
    assert replace(machine.config, float_formats=SMALL.float_formats) == SMALL
    assert machine.config.drain_rows == 2


def test_another_machine_is_refused(lines):
    lines.registers.values["ID"] ^= 1
    with pytest.raises(NoMachineError, match="no accelerator answers"):
        Machine(lines)


def test_a_gemm_is_sent_as_packets_and_put_together_again(machine, lines):
    a, b = numbers(9, 20), golden.quantize(numbers(20, 6, seed=2), MX9, axis=0)
    lines.will_give(*replies_of(SMALL, gemm_work(SMALL, a, b)))
    c = machine.gemm(a, b)
    expected = golden.gemm(golden.quantize(a, MX6, rounding="truncate"), b,
                           acc_width=SMALL.acc_width, k_max=SMALL.k_max)
    assert c.dtype == np.float32 and c.tobytes() == expected.tobytes()
    sent = {name: [packet for stream, packet in lines.sent if stream == name]
            for name in (ACTIVATIONS, WEIGHTS)}
    assert sent[ACTIVATIONS] == activation_rows(a)
    once = weight_stream(b, SMALL.cols, SMALL.weight_bytes)
    assert sent[WEIGHTS] == once * 1


def test_weights_are_sent_for_every_group_of_resident_tiles(machine, lines):
    work = make_work(SMALL, np.random.default_rng(1), 9, 6, 20, tiles=1)
    lines.will_give(*replies_of(SMALL, work))
    outcome, = machine.run([work])
    assert outcome.results.tobytes() == expected_results(SMALL, work).tobytes()
    assert outcome.counters["cycles"] == 1 << 33
    assert lines.registers.jobs == [work.job.registers()]
    weights = [packet for stream, packet in lines.sent if stream == WEIGHTS]
    assert weights == weight_stream(work.weights, SMALL.cols, SMALL.weight_bytes, work.bias) * 3


@pytest.mark.parametrize("output", ["fp16", "bf16", "mx6", "mx9"])
def test_results_come_as_what_golden_computes_with(output):
    rng = np.random.default_rng(3)
    work = make_work(SMALL, rng, 9, 21, 40, output=Output[output.upper()], bias=True)
    made = as_array(SMALL, work.job, expected_results(SMALL, work))
    c = golden.gemm(operand_a(SMALL, work), operand_b(SMALL, work), bias=work.bias,
                    acc_width=SMALL.acc_width, k_max=SMALL.k_max,
                    output="fp32" if output.startswith("mx") else output)
    if output.startswith("mx"):
        wanted = golden.quantize(c, {"mx6": MX6, "mx9": MX9}[output], rounding="truncate")
        assert made.dequantize().tobytes() == wanted.dequantize().tobytes()
        assert (made.is_mx9 == wanted.is_mx9).all()
    else:
        assert made.dtype == c.dtype and made.tobytes() == c.tobytes()


@pytest.mark.parametrize("transposed", [False, True])
def test_a_conversion_gives_the_weight(machine, lines, transposed):
    x = numbers(10, 40)
    work = conversion_work(SMALL, x, transposed)
    kind = JobKind.CONVERT_TRANSPOSED if transposed else JobKind.CONVERT
    assert work.job.kind is kind
    lines.will_give(*expected_results(SMALL, work))
    made = machine.convert(x, transposed=transposed)
    wanted = golden.convert(x, Policy(fraction=0), transposed=transposed, rounding="truncate")
    assert made.shape == wanted.shape == ((10, 40) if transposed else (40, 10))
    assert made.dequantize().tobytes() == wanted.dequantize().tobytes()
    assert all(stream == ACTIVATIONS for stream, _ in lines.sent)


POLICIES = {
    "top": Policy(fraction=0.4, scope="tile", tile_rows=4),
    "threshold": Policy(selection="threshold", threshold=1.7, tile_rows=4),
    "static": Policy(fraction=0.4, selection="static", static_tags=[1, 0, 0], tile_rows=4),
    "ordered": Policy(fraction=0.4, scope="tile", tile_rows=4, order="calibrated",
                      permutation=np.random.default_rng(5).permutation(40)),
    "all": Policy(fraction=1, scope="tile", tile_rows=4),
}


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_asks_for_what_golden_chooses(name):
    policy, a, b = POLICIES[name], numbers(9, 40), numbers(40, 6, seed=2)
    work = gemm_work(SMALL, a, b, policy=policy)
    wanted = golden.apply_policy(a, policy, rounding="truncate")
    made = operand_a(SMALL, work)
    assert 0 < wanted.is_mx9.mean() <= 1
    assert (made.is_mx9 == wanted.is_mx9).all()
    assert made.dequantize().tobytes() == wanted.dequantize().tobytes()
    weight = golden.quantize_weight(b, np.zeros(3, bool), policy)
    assert work.weights.dequantize().tobytes() == weight.dequantize().tobytes()


A, B = numbers(5, 40), numbers(40, 6)


@pytest.mark.parametrize(("arguments", "sentence"), [
    ({"a": A[:, :39]}, "A has 39 columns, but B 40 rows"),
    ({"a": A[0]}, r"A must be a matrix with elements, not of shape \(40,\)"),
    ({"a": A[:0]}, "A must be a matrix with elements"),
    ({"a": A.astype("f2")}, "the machine reads fp32, bf16, but A is fp16"),
    ({"a": A.astype("f8")}, "A must be of float32 or float16, not float64"),
    ({"a": A.astype(int)}, "A must be of float32 or float16, not int64"),
    ({"b": B.astype(int)}, "B must be floats or an MXTensor, not int64"),
    ({"b": golden.quantize(B, MX6)}, "B must be blocked along K, its axis 0"),
    ({"a": golden.quantize(A, MX6, axis=0)}, "A must be blocked along K, its axis 1"),
    ({"a": golden.quantize(A, MX6), "policy": POLICIES["top"]}, "A is quantized already"),
    ({"a": numbers(2, 301), "b": numbers(301, 2)}, "K = 301 is over the machine's limit of 300"),
    ({"bias": np.zeros(5, "f4")}, "the bias must be 6 floats, one for each column of B"),
    ({"bias": np.arange(6)}, "the bias must be 6 floats"),
    ({"bias": np.full(6, 0.1)}, "the bias must fit FP32"),
    ({"output": "fp8"}, "output must be one of fp32, fp16, bf16, mx6, mx9, not 'fp8'"),
    ({"policy": Policy(tile_rows=4)}, "the machine spends the fraction in each tile"),
    ({"policy": Policy(scope="tile")}, "give granularity 'channel_block' and tile_rows=4"),
    ({"policy": Policy(granularity="block", tile_rows=4)}, "not 'block' and 4"),
    ({"policy": Policy(granularity="head")}, "not 'head' and None"),
    ({"policy": "top"}, "policy must be a golden.Policy, not a str"),
    ({"policy": Policy(tile_rows=4, order="calibrated", permutation=[1, 0], scope="tile")},
     "the permutation orders 2 channels"),
    ({"policy": Policy(tile_rows=4, selection="static", static_tags=[1, 0])},
     "static tags are 3 bools, one for each K-block"),
    ({"policy": Policy(tile_rows=4, selection="static", static_tags=[1, 0, 0])},
     "a fraction of 0.05 allows 0"),
])
def test_what_does_not_fit_is_refused_and_nothing_is_sent(machine, lines, arguments, sentence):
    with pytest.raises((TypeError, ValueError), match=sentence):
        machine.gemm(**{"a": A, "b": B} | arguments)
    assert not lines.sent and not lines.registers.jobs


def test_a_transposed_conversion_in_an_order_is_refused(machine):
    policy = Policy(tile_rows=4, scope="tile", order="calibrated", permutation=[1, 0])
    with pytest.raises(ValueError, match="a transposed conversion can't put channels"):
        machine.convert(numbers(2, 5), transposed=True, policy=policy)


def works_of(count: int) -> list[Work]:
    rng = np.random.default_rng(7)
    return [make_work(SMALL, rng, 3, 5, 20) for _ in range(count)]


def test_as_many_jobs_are_under_way_as_the_machine_takes(machine, lines):
    works = works_of(3 * JOB_SLOTS)
    for work in works:
        lines.will_give(*replies_of(SMALL, work))
    seen = []
    outcomes = machine.run(works, progress=lambda *each: seen.append(each))
    assert lines.most_under_way == JOB_SLOTS
    assert [ended for ended, _ in seen] == list(range(1, len(works) + 1))
    for work, outcome in zip(works, outcomes, strict=True):
        assert outcome.results.tobytes() == expected_results(SMALL, work).tobytes()


def test_a_jobs_packets_of_another_length_are_noticed_and_the_next_job_runs(machine, lines):
    work, = works_of(1)
    good = replies_of(SMALL, work)
    lines.will_give(good[0][:-1], *good[1:])
    with pytest.raises(ResultLengthError, match="result packet 0 has 31 bytes, not 32"):
        machine.run([work])
    assert not lines.drained
    lines.will_give(*good)
    lines.drain = lambda limit=LIMIT: setattr(lines, "drained", lines.drained + 1)
    assert machine.run([work])[0].results.tobytes() == expected_results(SMALL, work).tobytes()
    assert lines.drained == 1, "what the job before has left is given up first"


def test_stream_faults_are_named_and_forgotten_by_an_abort(machine, lines):
    work, = works_of(1)
    lines.registers.values["IRQ_PENDING"] = StreamFault.ACT_KEEP.value << FAULTS
    with pytest.raises(StreamFaultError, match="ACT_KEEP"):
        machine.run([work])
    lines.registers.values["IRQ_PENDING"] = StreamFault.ACT_LENGTH.value << FAULTS
    lines.registers.values["STATUS"] = OUTPUT_PENDING
    lines.dry_after = 2
    machine.abort()
    assert lines.drained == 2 and not lines.registers.under_way and not lines.registers.draining
    lines.will_give(*replies_of(SMALL, work))
    assert machine.run([work])[0].counters["cycles"] == 1 << 33
    assert lines.drained == 2, "an abort need not be repeated"


def test_a_refused_job_is_named_and_the_next_one_runs(machine, lines):
    work, = works_of(1)
    with pytest.raises(JobRefusedError, match="K_TOO_LARGE"):
        machine.run([replace(work, job=replace(work.job, k=301))])
    lines.will_give(*replies_of(SMALL, work))
    lines.drain = lambda limit=LIMIT: setattr(lines, "drained", lines.drained + 1)
    assert machine.run([work])[0].results.tobytes() == expected_results(SMALL, work).tobytes()
    assert lines.drained == 1, "its packets were not left for the next"


def test_a_job_that_does_not_end_is_given_up_with_what_the_carrier_sees(machine, lines):
    work, looks = works_of(1)[0], []
    with pytest.raises(WaitTimeoutError, match=r"1 of the awaited jobs .* cycles: nothing happens"):
        machine.run([work], progress=lambda *each: looks.append(each))
    assert 10_000 < lines.cycles < 100_000
    assert len(looks) == lines.cycles // LOOK and all(ended == 0 for ended, _ in looks)


def test_an_interrupted_run_is_given_up_before_the_next(machine, lines):
    work, = works_of(1)

    def interrupt(limit):
        raise KeyboardInterrupt
    lines.wait_for_interrupt, wait = interrupt, lines.wait_for_interrupt
    with pytest.raises(KeyboardInterrupt):
        machine.run([work])
    assert len(lines.registers.under_way) == 1
    lines.wait_for_interrupt = wait
    lines.will_give(*replies_of(SMALL, work))
    lines.drain = lambda limit=LIMIT: setattr(lines, "drained", lines.drained + 1)
    machine.run([work])
    assert lines.drained == 1 and not lines.registers.under_way


def test_an_abort_ends_at_its_limit_and_can_be_repeated(machine, lines):
    lines.registers.values["STATUS"] = OUTPUT_PENDING
    lines.dry_after = 8
    machine.driver.limit = 5
    with pytest.raises(WaitTimeoutError, match="OUTPUT_PENDING, 5 cycles after ABORT"):
        machine.abort()
    assert lines.drained == 5 and lines.registers.draining
    machine.abort()
    assert lines.drained == 8 and not lines.registers.draining


def test_tables_are_loaded_when_they_lack_and_wait_while_they_are_used(machine, lines):
    rng = np.random.default_rng(9)
    order, other = rng.permutation(20), rng.permutation(20)
    make = {"m": 3, "n": 5, "k": 20, "table": 1}
    works = [make_work(SMALL, rng, **make, order=order), make_work(SMALL, rng, **make, order=order),
             make_work(SMALL, rng, **make, order=other),
             make_work(SMALL, rng, **make, selection=Selection.STATIC)]
    for work in works:
        lines.will_give(*replies_of(SMALL, work))
    outcomes = machine.run(works)
    assert [outcome.loaded for outcome in outcomes] == [("order",), (), ("order",), ("tags",)]
    assert lines.most_under_way == 2, "the third would overwrite what the first two use"
    assert [lines.registers.orders[1][channel] for channel in other] == list(range(20))


def test_a_table_that_was_half_loaded_is_loaded_anew(machine, lines):
    rng = np.random.default_rng(9)
    first, other = (make_work(SMALL, rng, 3, 5, 20, table=1, order=True) for _ in range(2))
    write, entries = lines.registers.write, []

    def refuse(address, value):
        entries.append(address == ADDRESSES["ORDER_ENTRY"])
        if sum(entries) == 15:
            raise BusError("no")
        write(address, value)
    lines.drain = lambda limit=LIMIT: None
    lines.will_give(*replies_of(SMALL, first))
    assert machine.run([first])[0].loaded == ("order",)
    lines.registers.write = refuse
    with pytest.raises(BusError):
        machine.run([other])
    lines.registers.write = write
    lines.will_give(*replies_of(SMALL, first))
    assert machine.run([first])[0].loaded == ("order",)


def test_only_what_a_carrier_does_can_be_waited_for():
    class Never:
        def __await__(self):
            yield

    async def wait():
        await Never()
    with pytest.raises(RuntimeError, match="no carrier does"):
        complete(wait())


def test_a_job_takes_the_weights_that_it_is_given():
    weights = golden.quantize(B, MX4, axis=0)
    assert gemm_work(SMALL, A, weights).weights is weights
    assert isinstance(gemm_work(SMALL, A, B).job, Job)
