"""Memory that quantized layers and attention take: ``mixdit bench memory``.

Each figure is of a process of its own, and is what Linux says of it: what it holds, or its peak.
"""

import gc
import os
import re
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from rich.table import Table
from torch import nn

from golden.policy import Policy
from golden.torch.attention import QuantizedAttention
from golden.torch.convert import quantize_, set_mode
from golden.torch.mx_scheme import MXScheme
from golden.torch.policies import uniform

LAYERS, WIDTH = 8, 2048
"""Of the model whose weights are counted: 32 Mi of them."""

HEADS, TOKENS, HEAD_WIDTH = 16, 1024, 72
"""Of the attention: 64 MiB of scores. With 1000 keys the last block of 16 is not full."""

_STATUS = Path("/proc/self/status")


def alone(measure: Callable[..., Any], *given: Any) -> Any:
    """Call a function in a process of its own, in which what is freed goes back at once."""
    with patch.dict(os.environ, MALLOC_MMAP_THRESHOLD_=str(1 << 16)):
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            return pool.submit(measure, *given).result()


def bytes_per_weight(keep: bool, mode: str, dtype: str, fmt: str = "mx6") -> tuple[float, float]:
    """Return what a quantized model holds after a pass, and the peak of the next pass.

    Parameters
    ----------
    keep : bool
        Whether the original layers are kept.
    mode : {"fake", "exact"}
    dtype : {"float32", "bfloat16"}
        Of the original weights.
    fmt : str
        An MX format.

    Returns
    -------
    held, peak : float
        Bytes per weight, all that is kept included.
    """
    torch.set_num_threads(1)
    x = torch.randn(1, WIDTH, dtype=getattr(torch, dtype))
    _pass(_model(1, 64, dtype), x[:, :64], mode, keep, fmt)  # what torch itself needs
    gc.collect()
    before = _now()
    model = _model(LAYERS, WIDTH, dtype)
    _pass(model, x, mode, keep, fmt)
    gc.collect()
    held = _now()
    _reset_peak()
    with torch.inference_mode():
        model(x)
    weights = LAYERS * WIDTH**2
    return (held - before) / weights, (_peak() - before) / weights


def attention_peak(precision: str, keys: int) -> tuple[float, float]:
    """Return the MiB that attention takes at its peak beyond its inputs, and those of its scores.

    Parameters
    ----------
    precision : {"fp32", "mx6", "mixdit"}
    keys : int
    """
    torch.set_num_threads(1)
    a = {"fp32": None, "mx6": "mx6", "mixdit": Policy(0.2, granularity="head")}[precision]
    schemes = (None if a is None else MXScheme(a, a) for _ in range(2))
    attention = QuantizedAttention(lambda: None, *schemes)
    with torch.inference_mode():
        small = [torch.randn(1, HEADS, 16, HEAD_WIDTH) for _ in range(3)]
        attention.attend(*small)  # what torch itself needs
        query = torch.randn(1, HEADS, TOKENS, HEAD_WIDTH)
        key, value = (torch.randn(1, HEADS, keys, HEAD_WIDTH) for _ in range(2))
        before = _now()
        _reset_peak()
        attention.attend(query, key, value)
    return (_peak() - before) / 2**20, HEADS * TOKENS * keys * 4 / 2**20


def _model(layers: int, width: int, dtype: str) -> nn.Module:
    torch.manual_seed(0)
    made = (nn.Linear(width, width, False, dtype=getattr(torch, dtype)) for _ in range(layers))
    return nn.Sequential(*made)


def _pass(model: nn.Module, x: torch.Tensor, mode: str, keep: bool, fmt: str) -> None:
    quantize_(model, uniform(fmt), keep=keep)
    set_mode(model, mode)
    with torch.inference_mode():
        model(x)


def _read(name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", _STATUS.read_text())
    return int(found[1]) << 10


def _now() -> int:
    return _read("VmRSS")


def _peak() -> int:
    return _read("VmHWM")


def _reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def can_measure() -> bool:
    """Tell whether this system says what a process takes: Linux does."""
    return _STATUS.is_file()


def bench_weights() -> list[dict[str, Any]]:
    """Measure models of linear layers, of which the original weights are kept, or not."""
    found = []
    for dtype in ("float32", "bfloat16"):
        for keep in (True, False):
            for mode in ("fake", "exact"):
                held, peak = alone(bytes_per_weight, keep, mode, dtype)
                found.append(
                    {"original": dtype, "keep": keep, "mode": mode, "held": held, "peak": peak}
                )
    return found


def bench_attention() -> list[dict[str, Any]]:
    """Measure attention with a last block that is full, and with one that is not."""
    found = []
    for precision in ("fp32", "mx6", "mixdit"):
        for keys in (TOKENS, 1000):
            peak, scores = alone(attention_peak, precision, keys)
            found.append(
                {"products": precision, "keys": keys, "scores_mib": scores, "peak_mib": peak}
            )
    return found


def tables_of(weights: list[dict[str, Any]], attention: list[dict[str, Any]]) -> list[Table]:
    """Show what was measured."""
    of_weights = Table(title=f"{LAYERS} linear layers of {WIDTH} x {WIDTH}, bytes per weight")
    for name in ("original", "keep", "mode"):
        of_weights.add_column(name)
    for name in ("held", "peak of a pass"):
        of_weights.add_column(name, justify="right")
    for each in weights:
        figures = (f"{each[name]:.2f}" for name in ("held", "peak"))
        of_weights.add_row(each["original"], str(each["keep"]), each["mode"], *figures)
    of_attention = Table(title=f"attention, {HEADS} heads of {TOKENS} queries")
    of_attention.add_column("products")
    for name in ("keys", "scores (MiB)", "peak (MiB)"):
        of_attention.add_column(name, justify="right")
    for each in attention:
        figures = (f"{each[name]:.0f}" for name in ("scores_mib", "peak_mib"))
        of_attention.add_row(each["products"], str(each["keys"]), *figures)
    return [of_weights, of_attention]
