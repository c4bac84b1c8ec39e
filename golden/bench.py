"""Speed of the golden model on one thread: ``mixdit bench golden``.

Times quantization beside AMD Quark's (extra ``oracle``; left out where it is absent) and the GEMM
beside NumPy's own, all in one run. Times are CPU time, the best of several rounds, and the rivals
take turns, so that other load on the machine matters little.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from rich.table import Table

import golden

ROUNDS = 9


@dataclass
class Result:
    """One line of the report.

    Attributes
    ----------
    task : str
        What was timed.
    rival : str or None
        Beside what: None where nothing does the same.
    seconds, rival_seconds : float or None
        CPU time; None where there is no rival, or it is not installed.
    target : str
        What the ratio must be.
    met : bool or None
    """

    task: str
    rival: str | None
    seconds: float
    rival_seconds: float | None
    target: str
    met: bool | None = None

    @property
    def ratio(self) -> float | None:
        """The rival's time over ours: above 1 where we are faster."""
        return None if self.rival_seconds is None else self.rival_seconds / self.seconds


def best_times(*tasks: Callable[[], object]) -> list[float]:
    """Return each task's least CPU time in seconds, the tasks taking turns."""
    best = [float("inf")] * len(tasks)
    for _ in range(ROUNDS):
        for i, task in enumerate(tasks):
            start = time.process_time()
            task()
            best[i] = min(best[i], time.process_time() - start)
    return best


def bench_quantize() -> list[Result]:
    """Time 4096 x 1152 FP32 to MX9: the codes, and their values, which is what Quark gives.

    Quark quantizes and dequantizes in one function, so the codes alone have no rival.
    """
    x = np.random.default_rng(0).standard_normal((4096, 1152)).astype(np.float32)
    fake_quark = quark_task(x)
    tasks = [
        lambda: golden.quantize(x, golden.MX9),
        lambda: golden.quantize(x, golden.MX9).dequantize(),
        *([fake_quark] if fake_quark else []),
    ]
    times = best_times(*tasks)
    theirs = times[2] if fake_quark else None
    values = Result("quantize and dequantize", "Quark fake_quantize", times[1], theirs, ">= 2")
    values.met = None if values.ratio is None else values.ratio >= 2
    return [Result("quantize 4096x1152 to MX9", None, times[0], None, "-"), values]


def quark_task(x: np.ndarray) -> Callable[[], object] | None:
    """Return Quark's torch path on one thread, or None if it is not installed."""
    try:
        import torch
        from quark.torch.kernel.hw_emulation import hw_emulation_interface as quark
    except ImportError:
        return None
    torch.set_num_threads(1)
    given = torch.from_numpy(x)
    return lambda: quark.fake_quantize_mx6_mx9(given, -1, 16, quant_bit=8, sub_block_size=2)


def bench_gemm() -> Result:
    """Time 256 x 1152 x 1152, 5 % of the K-blocks in MX9, on data where every sum is exact."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((256, 1152)).astype(np.float32)
    w = rng.standard_normal((1152, 1152)).astype(np.float32)
    x[:, :48] *= 4
    policy = golden.Policy(0.05)
    a = golden.apply_policy(x, policy)
    b = golden.quantize_weight(w, golden.static_tags([x], policy), policy)
    ours, theirs = best_times(lambda: golden.gemm(a, b), lambda: x @ w)
    task = f"gemm 256x1152x1152, {a.mx9_share:.1%} MX9"
    return Result(task, "numpy float32 @", ours, theirs, ">= 0.2", theirs / ours >= 0.2)


def bench() -> list[Result]:
    """Run all benchmarks."""
    return [*bench_quantize(), bench_gemm()]


def table_of(results: list[Result]) -> Table:
    """Show results."""
    table = Table(title="Golden model, one thread, CPU time", caption="ratio: rival over golden")
    for column in ("task", "golden", "rival", "rival's time", "ratio", "target", "met"):
        table.add_column(column, justify="left" if column in ("task", "rival") else "right")
    for r in results:
        rival = ["not installed" if r.rival else "-", "-"]
        if r.rival_seconds is not None:
            rival = [f"{r.rival_seconds * 1e3:.1f} ms", f"{r.ratio:.2f}"]
        met = {True: "yes", False: "NO", None: "-"}[r.met]
        table.add_row(r.task, f"{r.seconds * 1e3:.1f} ms", r.rival or "-", *rival, r.target, met)
    return table
