"""The C example of one whole attention: what golden makes of the same numbers, to the bit."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

import golden
from golden import MX6, MX9, Policy, quantize
from golden.memory import Command, layouts
from golden.memory.descriptor import BYTES
from sim_tests.host.c_driver import Host, Result
from sim_tests.host.ring_c.c_ring import CRing, halves
from sim_tests.host.ring_c.ring_device import BASE, CONFIG, SIZE, RingDevice
from sim_tests.host.ring_c.simulated_ring import SimulatedRing
from simulation.build import build
from simulation.memory_machine import Manners, SimulatedMemoryMachine

TOKENS, HEADS, CHANNELS = 9, 2, 20
WIDTH = HEADS * CHANNELS
ARENA = 0x40000

F = np.float32


def exponential(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute e^x as the example does, every step rounded to FP32."""
    two = np.trunc(x * F(1.44269504) - F(0.5))
    rest = x - two * F(0.693359375)
    rest = rest + two * F(2.12194440e-4)
    total = np.full_like(x, 1.9875691500e-4)
    for factor in (1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1,
                   5.0000001201e-1):
        total = total * rest + F(factor)
    total = total * (rest * rest) + rest + F(1)
    return np.where(x > F(-87), total * np.exp2(two), F(0))


def softmax(scores: NDArray[np.float32], scale: np.float32) -> NDArray[np.float32]:
    """Compute the softmax of rows as the example does: sums from the left."""
    scaled = scores * scale
    powers = exponential(scaled - scaled.max(axis=-1, keepdims=True))
    return powers / np.cumsum(powers, axis=-1, dtype=np.float32)[..., -1:]


def expected(x, weights, is_mx9: bool, scale: np.float32) -> dict[str, NDArray]:
    """Compute every step with golden."""
    fmt, part = (MX9, 1) if is_mx9 else (MX6, 0)

    def product(a, b, output):
        made = golden.gemm(quantize(a, fmt), b, k_max=CONFIG.k_max, output=output)
        return made.view(np.float16) if output == "fp16" else made

    def heads(rows):
        return rows.reshape(TOKENS, HEADS, CHANNELS).swapaxes(0, 1)

    packed = [quantize(weight, fmt, axis=0) for weight in weights]
    q, k, v = (product(x, weight, "fp16") for weight in packed[:3])
    policy = Policy(fraction=part, scope="tile", tile_rows=CONFIG.cols)
    scores = np.stack([product(a, golden.convert(b, policy), "fp32")
                       for a, b in zip(heads(q), heads(k), strict=True)])
    probabilities = softmax(scores, scale)
    merged = np.stack([product(a, golden.convert(b, policy, transposed=True), "fp16")
                       for a, b in zip(probabilities, heads(v), strict=True)], axis=1)
    merged = merged.reshape(TOKENS, WIDTH)
    return {"q": q, "k": k, "v": v, "scores": probabilities, "heads": merged,
            "out": product(merged, packed[3], "fp32")}


def attend(driver: CRing, x, weights, *, is_mx9: bool, scale: np.float32, size: int = 1 << 17,
           looks: int = 20) -> tuple[Result, list[int]]:
    """Run the example, which looks at most so often whether it has ended; give its results."""
    places = [0, *range(0x4000, 0x18000, 0x4000)][:5]
    for place, array in zip(places, [x, *weights], strict=True):
        driver.place(place, array)
    result, offsets = driver._call(
        "attend", TOKENS, HEADS, CHANNELS, int(scale.view(np.uint32)), is_mx9, *places, ARENA,
        *halves(BASE + ARENA), size, looks)
    return Result(result), offsets


def opened(host: Host, size_log2: int = 3, device: RingDevice | SimulatedRing | None = None
           ) -> tuple[CRing, RingDevice | SimulatedRing]:
    device = device or RingDevice(lag=2)
    driver = CRing(device, host)
    assert driver.call("open") == Result.OK
    assert driver.set_up(size_log2, offset=0x20000)[0] == Result.OK
    assert driver.call("enable") == Result.OK
    return driver, device


def numbers(seed: int) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
    """Draw tokens and weights."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((TOKENS, WIDTH)).astype(F),
            [rng.standard_normal((WIDTH, WIDTH)).astype(F) / F(4) for _ in range(4)])


@pytest.mark.parametrize("is_mx9", [False, True])
def test_an_attention_is_goldens_to_the_bit(host, is_mx9):
    attend_and_compare(*opened(host), is_mx9)


def test_an_attention_on_the_verilog_is_goldens_to_the_bit(host):
    hostile = Manners(read_latency=20, write_latency=40, jitter=30, pause=0.2, mixes=True)
    for is_mx9 in (False, True):
        with SimulatedMemoryMachine(build(CONFIG), BASE, SIZE, manners=hostile,
                                    outstanding=CONFIG.outstanding) as machine:
            attend_and_compare(*opened(host, device=SimulatedRing(machine)), is_mx9, looks=10_000)


def attend_and_compare(driver: CRing, device: RingDevice | SimulatedRing, is_mx9: bool,
                       looks: int = 20) -> None:
    """Run the example, and compare all steps."""
    x, weights = numbers(is_mx9)
    scale = F(1) / np.sqrt(F(CHANNELS))
    result, offsets = attend(driver, x, weights, is_mx9=is_mx9, scale=scale, looks=looks)
    assert result == Result.OK
    assert driver.fetch("ended") == (Result.OK, 8)
    wanted = expected(x, weights, is_mx9, scale)
    for (name, array), offset in zip(wanted.items(), offsets, strict=True):
        found = device.data[offset : offset + array.nbytes].tobytes()
        assert found == array.tobytes(), name
        if name in ("scores", "out"):
            assert driver.peek(offset, array.nbytes) == found, f"{name} not taken"


def test_its_commands_wait_for_what_they_read(host):
    """Golden's ring runs in order, and would not notice a fence that lacks."""
    driver, device = opened(host)
    x, weights = numbers(4)
    assert attend(driver, x, weights, is_mx9=False, scale=F(0.25))[0] == Result.OK
    commands = [Command.unpack(device.memory.read(device.ring.address_of(number), BYTES))
                for number in range(8)]
    waits = [(command.wait_a, command.wait_b) for command in commands]
    places = [[range(at, at + size) for at, size in layouts.result_places(device.machine, command)]
              for command in commands]
    for first, end in ((0, 6), (6, 8)):  # the host waits between the lists
        for earlier, reader in itertools.combinations(range(first, end), 2):
            for operand, wait in zip("ab", waits[reader], strict=True):
                at = getattr(commands[reader], operand)
                if any(at in place for place in places[earlier]):
                    assert 0 < wait <= reader - earlier, (reader, operand, earlier)
    assert sorted(waits) == [(0, 0)] * 4 + [(1, 0), (2, 0), (2, 0), (5, 2)]


def test_its_softmax_is_one():
    drawn = np.random.default_rng(2).standard_normal((50, 70)).astype(F) * F(40)
    drawn[0, 3] = -1000
    scores = drawn.astype(np.float64)
    exact = np.exp(scores - scores.max(axis=-1, keepdims=True))
    exact /= exact.sum(axis=-1, keepdims=True)
    found = softmax(drawn, F(1))
    assert np.allclose(found, exact, rtol=5e-6, atol=1e-37)
    assert found[0, 3] == 0


def test_it_says_what_it_lacks(host):
    x, weights = numbers(3)
    scale = F(0.25)
    driver, device = opened(host)
    for size in (0, 64, 2000, 12000):
        assert attend(driver, x, weights, is_mx9=True, scale=scale, size=size)[0] == (
            Result.NO_SPACE)
    assert "clean" not in device.events
    driver, _ = opened(host, size_log2=2)
    assert attend(driver, x, weights, is_mx9=False, scale=scale)[0] == Result.FULL
    driver, device = opened(host)
    device.clean = lambda offset, data: None  # so that the machine finds no list
    assert attend(driver, x, weights, is_mx9=False, scale=scale)[0] == Result.STOPPED
