"""Fake quantization is fast enough to sample images with."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
bench = pytest.importorskip("golden.torch.bench")


def test_a_small_dit_takes_at_most_three_times_fp32():
    def met(times):
        return times["MixDiT"] <= bench.TARGET * times["FP32"]

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        times = bench.time_policies({"MixDiT": bench.mixdit()}, batch=100, rounds=10, done=met)
    finally:
        torch.set_num_threads(threads)
    assert met(times), times
