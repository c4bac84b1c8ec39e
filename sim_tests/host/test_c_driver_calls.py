"""The C driver, call by call, on registers that follow the map."""

import itertools
import re
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from hw.contract.config import Config
from hw.contract.job_codes import JobKind, Output, Selection
from hw.host.driver import Job, resident_tiles, weight_passes
from hw.registers.map import COUNTERS, FAULTS, REFUSED, Refusal, StreamFault
from sim_tests.host.c_driver import COMPILER, CPLUSPLUS, SOURCES, WARNINGS, CDriver, Host, Result
from sim_tests.host.register_stand_in import JOB_SLOTS, SMALL, Refusing, StandIn, build_parameters

JOB = Job(m=5, n=6, k=70)


def opened(host: Host, config: Config = SMALL) -> tuple[CDriver, StandIn]:
    """Open registers without a machine."""
    registers = StandIn(config)
    driver = CDriver(registers.read, registers.write, host=host)
    assert driver.open() == (Result.OK, build_parameters(config))
    return driver, registers


@pytest.mark.parametrize("standard", ["c99", "c11"])
@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_it_compiles_without_a_warning_and_needs_no_library(tmp_path, standard, level):
    compiled = tmp_path / "mixdit.o"
    subprocess.run([COMPILER, *WARNINGS, f"-std={standard}", level, "-ffreestanding", "-c",
                    str(SOURCES / "mixdit.c"), "-o", str(compiled)], check=True)
    undefined = subprocess.run(["nm", "-u", str(compiled)], check=True, capture_output=True,
                               text=True).stdout.split()
    assert set(undefined) <= {"U", "memset", "memcpy"}  # what a compiler may always ask for


@pytest.mark.parametrize("standard", ["c++11", "c++17"])
def test_its_headers_serve_cplusplus(tmp_path, standard):
    """Link C++ with the driver as C; a declaration without C linkage would not be found."""
    driver, program = tmp_path / "mixdit.o", tmp_path / "program"
    subprocess.run([COMPILER, *WARNINGS, "-c", str(SOURCES / "mixdit.c"), "-o", str(driver)],
                   check=True)
    defined = subprocess.run(["nm", "-g", "--defined-only", "--format=just-symbols", str(driver)],
                             check=True, capture_output=True, text=True).stdout.split()
    declared = re.findall(r"(mixdit_\w+)\(", (SOURCES / "mixdit.h").read_text())
    assert sorted(declared) == sorted(defined)
    (tmp_path / "program.cpp").write_text("\n".join([
        '#include "mixdit_registers.h"', '#include "mixdit.h"', "void *functions[] = {",
        *(f"    reinterpret_cast<void *>({name})," for name in declared), "};",
        "int main() { return functions[0] == nullptr; }", ""]))
    subprocess.run([CPLUSPLUS, f"-std={standard}", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                    f"-I{SOURCES}", str(tmp_path / "program.cpp"), str(driver),
                    "-o", str(program)], check=True)
    subprocess.run([str(program)], check=True)


@pytest.mark.parametrize(("name", "value", "result"), [
    ("ID", 0, Result.NO_MACHINE), ("VERSION", 0x00010000, Result.OTHER_VERSION),
    ("VERSION", 0x00040000, Result.OTHER_VERSION), ("VERSION", 0x00030009, Result.OK),
])
def test_another_machine_is_not_opened(host, name, value, result):
    registers = StandIn(SMALL)
    registers.values[name] = value
    assert CDriver(registers.read, registers.write, host=host).open()[0] == result


def test_every_setting_of_a_job_arrives(host):
    driver, registers = opened(host)
    job = Job(kind=JobKind.GEMM_PACKED, m=1, n=2, k=3, tiles=4, float_format="bf16",
              output=Output.MX9, bias=True, measure=True, table=5, selection=Selection.HEAD,
              units=1, threshold=0x3F800000)
    other = replace(job, reorder=True, bias=False, m=(1 << 32) - 1)
    for wanted in (job, other):
        assert driver.start(wanted) == (Result.OK, Refusal.NONE)
        assert registers.jobs[-1] == wanted.registers()


def test_refusals_come_back_and_the_next_job_is_taken(host):
    driver, registers = opened(host)
    for job, refusal in ((replace(JOB, n=0), Refusal.ZERO_SIZE),
                         (replace(JOB, k=301), Refusal.K_TOO_LARGE)):
        assert driver.start(job) == (Result.REFUSED, refusal)
        assert not registers.values["IRQ_PENDING"] >> REFUSED & 1
        assert driver.text("refusal", refusal) == refusal.doc
    for _ in range(JOB_SLOTS):
        assert driver.start(JOB) == (Result.OK, Refusal.NONE)
    assert driver.start(JOB) == (Result.REFUSED, Refusal.QUEUE_FULL)
    assert driver.abort() == Result.OK
    assert driver.start(JOB) == (Result.REFUSED, Refusal.DRAINING)
    assert driver.resume() == Result.OK
    assert driver.start(JOB) == (Result.OK, Refusal.NONE)


@pytest.mark.parametrize("before", [0, 7, (1 << 32) - 1])
def test_it_waits_for_as_many_jobs_as_asked(host, before):
    driver, registers = opened(host)
    registers.values["JOBS_ENDED"] = before
    driver.start(JOB)
    after = (before + 1) % (1 << 32)
    assert driver.jobs_ended() == (Result.OK, before)
    assert driver.wait(before, 1) == Result.OK
    assert driver.wait(after, 20) == Result.TIMED_OUT
    counts = {name.lower(): 0x1_0000_0001 * number + (number << 40)
              for number, (name, _) in enumerate(COUNTERS, start=3)}
    registers.end_job(counts)
    assert driver.wait(after, 1) == Result.OK
    assert driver.counters() == (Result.OK, counts)


def test_faults_are_taken_once(host):
    driver, registers = opened(host)
    assert driver.check() == (Result.OK, 0)
    faults = StreamFault.ACT_KEEP | StreamFault.WEIGHT_LENGTH
    registers.values["IRQ_PENDING"] = faults.value << FAULTS | 1 << REFUSED
    assert driver.check() == (Result.FAULTED, faults)
    assert registers.values["IRQ_PENDING"] == 1 << REFUSED
    assert driver.check() == (Result.OK, 0)


def test_faults_are_named_all_of_them_and_unknown_ones_by_their_bits(host):
    driver, _ = opened(host)

    def text(faults: int) -> str:
        length, words = driver.fault_text(faults)
        assert length == len(words)
        return words

    assert text(0) == "no fault"
    for fault in StreamFault:
        assert text(fault) == fault.doc
    two = StreamFault.ACT_KEEP | StreamFault.WEIGHT_KEEP
    assert text(two) == f"{StreamFault.ACT_KEEP.doc}; {StreamFault.WEIGHT_KEEP.doc}"
    assert text(0xA0000010) == "unknown faults 0xA0000010"
    every = "; ".join([*(fault.doc for fault in StreamFault), "unknown faults 0xFFFFFFF0"])
    assert text(0xFFFFFFFF) == every
    for size in (0, 1, 2, len(every), len(every) + 1):
        assert driver.fault_text(0xFFFFFFFF, size) == (len(every), every[:max(size - 1, 0)])


@pytest.mark.parametrize("channels", [1, 16, 300, 1024, 1025, 5000])
def test_orders_are_loaded_as_their_inverse_and_checked(host, channels):
    driver, registers = opened(host, Config.sized(rows=2, cols=2, k_max=5000, acc_width=48))
    rng = np.random.default_rng(channels)
    order = [int(channel) for channel in rng.permutation(channels)]
    assert driver.load_order(1, order) == Result.OK
    assert registers.orders == {1: {channel: place for place, channel in enumerate(order)}}
    for place, channel in ((0, channels), (channels - 1, 65535), (0, order[-1]), (-1, order[0])):
        wrong = [*order]
        wrong[place] = channel
        if wrong != order:
            assert driver.load_order(0, wrong) == Result.BAD_ORDER, (place, channel)
    assert driver.load_order(0, list(range(5001))) == Result.BAD_ORDER
    assert driver.load_order(2, order) == Result.BAD_TABLE
    assert set(registers.orders) == {1}


def test_tags_are_loaded_and_checked(host):
    driver, registers = opened(host)
    assert driver.load_tags(3, [True, False, True]) == Result.OK
    assert registers.tags == {3: {0: 1, 1: 0, 2: 1}}
    assert driver.load_tags(4, [True]) == Result.BAD_TABLE
    assert driver.load_tags(0, [False] * 20) == Result.BAD_TABLE
    driver.start(replace(JOB, reorder=True, table=3))
    assert driver.load_tags(3, [True]) == Result.BUS_ERROR, "the table is in use"
    assert driver.load_tags(2, [True]) == Result.OK


def test_maxima_are_read_by_channel(host):
    driver, registers = opened(host)
    registers.maxima = {0: 0x3F800000, 299: 0x42000001}
    assert [driver.maximum(channel) for channel in (299, 0)] == [
        (Result.OK, 0x42000001), (Result.OK, 0x3F800000)]


def test_it_counts_tiles_and_passes_as_the_python_driver_does(host):
    for rows, cols, k_max in ((1, 1, 64), (8, 8, 6144), (2, 16, 512), (3, 5, 120)):
        config = Config.sized(rows=rows, cols=cols, k_max=k_max, acc_width=48)
        driver, _ = opened(host, config)
        for m, k in itertools.product((1, 7, 8, 9, 1000, 1 << 20), (1, 16, 17, k_max // 2, k_max)):
            tiles = resident_tiles(config, m, k)
            assert driver.resident_tiles(m, k) == tiles, (config, m, k)
            for kind in JobKind:
                job = Job(kind=kind, m=m, n=1, k=k, tiles=tiles)
                assert driver.weight_passes(job) == weight_passes(config, job)


class RefusingStandIn(Refusing, StandIn):
    """One access to its registers is refused."""


@pytest.mark.parametrize(("accesses", "call"), [
    (30, lambda driver: driver.open()[0]), (14, lambda driver: driver.start(JOB)[0]),
    (15, lambda driver: driver.start(replace(JOB, m=0))[0]),
    (1, lambda driver: driver.jobs_ended()[0]), (1, lambda driver: driver.wait(0, 1)),
    (3, lambda driver: driver.wait(1, 3)), (2, lambda driver: driver.check()[0]),
    (18, lambda driver: driver.counters()[0]), (1, CDriver.abort), (1, CDriver.resume),
    (1, lambda driver: driver.output_pending()[0]),
    (4, lambda driver: driver.load_order(0, [1, 0])),
    (3, lambda driver: driver.load_tags(0, [True])), (2, lambda driver: driver.maximum(0)[0]),
])
def test_a_bus_error_ends_every_call(host, accesses, call):
    registers = RefusingStandIn(SMALL)
    driver = CDriver(registers.read, registers.write, host=host)
    assert driver.open()[0] == Result.OK
    registers.maxima = {0: 1}
    for left in range(accesses):
        registers.values["IRQ_PENDING"] = 1 << FAULTS
        registers.left = left
        assert call(driver) == Result.BUS_ERROR, f"access {left} failed unseen"
        assert registers.left == -1, f"went on after access {left} had failed"
    registers.values["IRQ_PENDING"] = 1 << FAULTS
    registers.left = accesses
    assert call(driver) != Result.BUS_ERROR
    assert registers.left == 0, "another number of accesses"


def test_every_result_and_refusal_has_a_text(host):
    driver, _ = opened(host)
    for kind, codes, other in (("result", Result, "no result of this driver"),
                               ("refusal", Refusal, "only a newer driver can name this")):
        texts = {driver.text(kind, code) for code in codes}
        assert len(texts) == len(codes) and not any(other in text for text in texts)
        assert other in driver.text(kind, len(codes))
