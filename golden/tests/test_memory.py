"""Quantizing takes little memory beyond its input and its codes, and so do quantized models."""

import subprocess
import sys

import pytest

ELEMENTS = 1 << 20

CODE = """if True:
    import re, sys, numpy as np
    import golden
    from golden.formats import MX6
    # Not ru_maxrss, which begins at the peak of the process that started this one.
    status = lambda: open("/proc/self/status").read()
    peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+) kB", status())[1]) << 10
    elements = int(sys.argv[2])
    if sys.argv[1] == "torch":
        import torch, golden.torch
        torch.set_num_threads(1)
        golden.torch.quantize(torch.zeros(1, 1024), MX6, 0)
        x = torch.ones(1, elements)
        quantize = golden.torch.quantize
    else:
        golden.quantize(np.zeros((1, 1024), np.float32), MX6, 0)
        x = np.ones((1, elements), np.float32)
        quantize = golden.quantize
    before = peak()
    q = quantize(x, MX6, axis=0)
    quantized = peak()
    q.dequantize() if sys.argv[1] != "torch" else None
    print((quantized - before) / elements, (peak() - before) / elements)
"""


def bytes_per_element(kind: str, elements: int = ELEMENTS) -> tuple[float, float]:
    """Return how much the peak rises with quantizing, and with dequantizing then, per element."""
    command = [sys.executable, "-c", CODE, kind, str(elements)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    quantized, dequantized = (float(text) for text in result.stdout.split())
    return quantized, dequantized


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_a_matrix_of_one_row_takes_its_codes_and_little_more(kind):
    """Of 16 places of each block 15 are padding: 42 bytes of codes per element.

    Padded FP32 numbers would be 64 more at least.
    """
    if kind == "torch":
        pytest.importorskip("torch")
    quantized, dequantized = bytes_per_element(kind, 4 * ELEMENTS)
    assert 40 < quantized < 50
    assert dequantized < 55


@pytest.mark.parametrize("keep, mode, held", [(False, "fake", 3.3), (True, "exact", 5.3)])
def test_a_quantized_weight_takes_two_bytes_of_values_and_little_more_of_codes(keep, mode, held):
    memory = pytest.importorskip("golden.torch.memory")
    taken, peak = memory.alone(memory.bytes_per_weight, keep, mode, "bfloat16")
    assert taken < held and peak < held + 0.6  # one of eight layers is widened at a time


@pytest.mark.parametrize("keys, most", [(1024, 1.25), (1000, 2.25)])
def test_attention_works_in_the_memory_of_its_scores(keys, most):
    """A last block that is not full is filled up in a copy."""
    memory = pytest.importorskip("golden.torch.memory")
    peak, scores = memory.alone(memory.attention_peak, "mixdit", keys)
    assert scores < peak < most * scores
