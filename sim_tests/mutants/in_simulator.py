"""The half that runs inside the simulator: a bench's tests, once for each mutant.

What happens is written to a log, a line of JSON each, as it happens: a mutant may stop the
simulator. ``["start", number, test]``, then ``["pass", number, test, ns, seconds]`` or
``["fail", number, test, message]``. A start without an end is a test that failed outside of its
own task, or a simulator that stopped.
"""

import importlib
import json
import os
import time
from collections.abc import Iterator
from typing import Any

from cocotb._decorators import Test, TestGenerator
from cocotb.triggers import with_timeout
from cocotb.utils import get_sim_time

from sim_tests.mutants.mutant import SELECT
from sim_tests.mutants.plugin import HANDOVER

_PATIENCE, _PATIENCE_NS = 4, 8000
"""A test hangs when it takes so many times as long as with the good netlist, and so many more."""


class EachMutant(TestGenerator):
    """All tests of a bench, for all mutants."""

    def __init__(self) -> None:
        handover = json.loads(os.environ[HANDOVER])
        self._mutants: list[int] = handover["mutants"]
        self._times: dict[str, float] = handover["times"]
        self._log = open(handover["log"], "a", buffering=1, encoding="utf-8")
        self._bench = importlib.import_module(handover["bench"])
        self._seen: set[int] = set()

    def generate_tests(self) -> Iterator[Test]:
        tests = [test for each in vars(self._bench).values() if isinstance(each, TestGenerator)
                 for test in each.generate_tests() if not test.skip]
        order = list(self._times)  # the shortest first
        tests.sort(key=lambda test: order.index(test.name) if test.name in order else len(order))
        for mutant in self._mutants:
            for test in tests:
                yield self._with(mutant, test)

    def _with(self, mutant: int, test: Test) -> Test:
        """Return a test that selects a mutant and then does what a test of the bench does."""
        async def body(dut: Any, **options: Any) -> None:
            if mutant in self._seen:
                return
            self._say("start", mutant, test.name)
            getattr(dut, SELECT).value = mutant
            began, clock = get_sim_time("ns"), time.monotonic()
            run = test.func(dut, **options)
            if test.name in self._times:
                limit = int(self._times[test.name] * _PATIENCE) + _PATIENCE_NS
                run = with_timeout(run, limit, "ns")
            try:
                await run
            except Exception as error:
                self._seen.add(mutant)
                self._say("fail", mutant, test.name, f"{type(error).__name__}: {error}"[:200])
            else:
                self._say("pass", mutant, test.name, get_sim_time("ns") - began,
                          round(time.monotonic() - clock, 3))
        return Test(func=body, args=(), kwargs=test.kwargs, name=test.name, module=test.module,
                    doc=None, timeout=None, expect_fail=False, expect_error=(), skip=False, stage=0)

    def _say(self, *what: Any) -> None:
        self._log.write(json.dumps(what) + "\n")


each_mutant = EachMutant()
