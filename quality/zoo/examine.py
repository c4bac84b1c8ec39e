"""What quantization does to one model: a row of the table."""

import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

import golden
from golden.torch import (
    find_sites,
    find_unquantized,
    load_quantized,
    mixdit,
    quantize_,
    restore_,
    save_quantized,
    set_mode,
    uniform,
)
from quality.zoo.exactness import check_exact
from quality.zoo.products import check_products
from quality.zoo.settle import Built, run

LEAST_QSNR = 25.0
"""dB of a whole model in MX9, below which something must be wrong."""


@dataclass(frozen=True)
class Row:
    """What was found of one model; a cell is "yes" or says what is wrong.

    Attributes
    ----------
    linear, attention : int
        Linear layers that are quantized, and products of attention.
    floating : int
        Products of attention that are not.
    once : str
        Whether each of them runs on quantized operands as often as in floating point.
    fake : str
        QSNR of the output in MX9 against floating point, in dB.
    exact : str
        Whether every product has golden's bits in exact mode.
    saved : str
        Whether a model that was saved and loaded gives the same bits.
    compiled : str
        Whether ``torch.compile`` with the backend "eager" does.
    """

    linear: int
    attention: int
    floating: int
    once: str
    fake: str
    exact: str
    saved: str
    compiled: str


@torch.no_grad()
def examine(build: Callable[[], Built], compiled: bool = True) -> Row:
    """Try everything on a miniature.

    Parameters
    ----------
    build : callable
        One of `quality.zoo.builders.BUILDERS`.
    compiled : bool
        Whether to compile too, which takes most of the time.
    """
    model, _ = build()
    kinds = Counter(site.kind for site in find_sites(model))
    left = [each for each in find_unquantized(model, find_sites(model)) if _is_product(each.name)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is not quantized, which the table has
        return Row(
            kinds["linear"],
            kinds["qk"] + kinds["pv"],
            len(left),
            _cell(lambda: check_products(*build()) or "yes"),
            _cell(lambda: _fake(build)),
            _cell(lambda: check_exact(*build()) or "yes"),
            _cell(lambda: _saved(build)),
            _cell(lambda: _compiled(build)) if compiled else "",
        )


def _cell(check: Callable[[], str]) -> str:
    try:
        return check()
    except Exception as error:  # whatever it is belongs into the table
        return f"{type(error).__name__}: {error}".splitlines()[0][:60]


def _is_product(name: str) -> bool:
    return name.rpartition(".")[2] in ("qk", "pv")


def _fake(build: Callable[[], Built]) -> str:
    model, inputs = build()
    expected = run(model, inputs)
    quantize_(model, uniform("mx9"))
    qsnr = golden.qsnr(expected.numpy(), run(model, inputs).numpy())
    restore_(model)
    if not torch.equal(run(model, inputs), expected):
        return "is not restored"
    return f"{qsnr:.0f}" if qsnr > LEAST_QSNR else f"only {qsnr:.0f}"


def _saved(build: Callable[[], Built]) -> str:
    model, inputs = build()
    quantize_(model, mixdit())
    other, _ = build()
    for parameter in other.parameters():
        parameter.add_(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        save_quantized(path, model)
        load_quantized(path, other)
    for mode in ("fake", "exact"):
        for each in (model, other):
            set_mode(each, mode)
        if not torch.equal(run(other, inputs), run(model, inputs)):
            return f"other bits in {mode} mode"
    return "yes"


def _compiled(build: Callable[[], Built]) -> str:
    model, inputs = build()
    quantize_(model, mixdit())
    expected = run(model, inputs)
    torch.compiler.reset()
    result: Tensor = run(torch.compile(model, backend="eager"), inputs)
    torch.compiler.reset()
    return "yes" if torch.equal(result, expected) else "other bits"
