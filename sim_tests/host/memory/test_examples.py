"""The examples of docs/commands.md and of the package run, and give what golden does."""

import re
from fractions import Fraction
from textwrap import dedent

import numpy as np

import golden
import hw.host.memory
from golden import MX6, Policy
from hw.contract.config import Config
from sim_tests.bench import ROOT
from sim_tests.host.memory.benches import normal, same
from sim_tests.host.memory.golden_device import GoldenDevice

CONFIG = Config.sized(bus_bytes=32)


def feed_forward(tokens, first, second, bias=None):
    """Compute what the examples do."""
    a = golden.apply_policy(tokens, Policy(
        fraction=Fraction(1, 24), scope="tile", tile_rows=CONFIG.rows))
    hidden = golden.gemm(a, golden.quantize(first, MX6, axis=0))
    return golden.gemm(golden.quantize(hidden, MX6), golden.quantize(second, MX6, axis=0),
                       bias=bias, output="fp16")


def run(code, **names):
    """Run an example on a device of golden; return what it leaves."""
    names |= {"device": GoldenDevice(CONFIG, size=1 << 22), "print": lambda *_: None}
    exec(compile(code, "example", "exec"), names)
    return names


def test_the_example_of_the_page_runs():
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    code, = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    shown = []
    names = run(code + "    shown.append(y.read())\n", shown=shown)
    tokens, ones = names["tokens"], np.ones(384, np.float32)
    expected = feed_forward(tokens[::-1], names["first"], names["second"], ones)
    assert same(shown[0], expected)


def test_the_example_of_the_package_runs():
    text = hw.host.memory.__doc__
    code = dedent(re.search(r"::\n\n(.*?)\n\n\S", text, re.DOTALL)[1])
    arrays = {"tokens": normal(64, 384), "first": normal(384, 1536), "second": normal(1536, 384)}
    names = run(f"{code}\n    found = y.read()\n", **arrays)
    assert same(names["found"], feed_forward(**arrays))
