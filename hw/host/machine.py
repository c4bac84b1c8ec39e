"""The machine as software sees it: arrays in, arrays out, over any carrier."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import ArrayLike

from golden import MXTensor, Policy
from golden.arguments import whole
from hw.registers.built import build_config

from .carrier import ACTIVATIONS, WEIGHTS, Carrier
from .carrier_driver import COUNTER_NAMES, CarrierDriver, complete
from .driver_errors import JobRefusedError, WaitTimeoutError
from .packet_order import weight_passes
from .requests import conversion_work, gemm_work
from .results import Outcome, as_array, packet_count, read_results
from .shared_state import state_of
from .work import Work, act_packets, cycles_bound, weight_packets
from .work_check import check_work

PATIENCE = 20
"""A job is given up after so many times the cycles that the streams and the array need."""

LEAST_PATIENCE = 10_000
"""Cycles that a wait lasts at least before it is given up."""

Progress = Callable[[int, int], None]
"""``progress(ended, cycles)``: jobs that have ended, and cycles since the first was given."""


class Machine:
    """Run jobs on whatever machine a carrier leads to; learn from it how it was built.

    One thread uses it at a time; several of them on one carrier know of each other. A call that an
    error or a `KeyboardInterrupt` ended leaves jobs and packets in the machine: `abort` gives them
    up, and the next call does that first. So an error raised by ``progress`` cancels a call.

    Parameters
    ----------
    carrier : Carrier
        An idle machine.

    Attributes
    ----------
    config : Config
        What the machine was built from, its `float_formats` in the order of the registers.
    driver : CarrierDriver

    Raises
    ------
    NoMachineError
        If there is no machine, or one with another register map.
    """

    def __init__(self, carrier: Carrier):
        self.carrier, self.driver = carrier, CarrierDriver(carrier)
        parameters = complete(self.driver.identify())
        self.config, self._slots = build_config(parameters), parameters["JOB_SLOTS"]
        self._state = state_of(carrier)

    def gemm(
        self, a: ArrayLike | MXTensor, b: ArrayLike | MXTensor, *, bias: ArrayLike | None = None,
        policy: Policy | None = None, output: str = "fp32", progress: Progress | None = None,
    ) -> np.ndarray | MXTensor:
        """Compute C = A·B + bias.

        Parameters
        ----------
        a : array_like, shape (m, k), or MXTensor
            Floats in FP32, FP16 or BF16 (an extension type, as of ``ml_dtypes``), which the machine
            quantizes by the policy; or a tensor blocked along k, such as packed results of an
            earlier call.
        b : array_like, shape (k, n), or MXTensor
            Floats, which are quantized here, all in the policy's format for ordinary K-blocks; or
            a tensor blocked along k whose rows are in the policy's order.
        bias : array_like, shape (n,), optional
            In FP32.
        policy : golden.Policy, optional
            Of the K-blocks of A; all of them in MX6 if left out. What the machine can choose is
            said by `hw.host.requests.gemm_work`.
        output : {"fp32", "fp16", "bf16", "mx6", "mx9"}
            In any case.
        progress : callable, optional
            See `run`.

        Returns
        -------
        ndarray or MXTensor
            As `hw.host.results.as_array` makes it.

        Raises
        ------
        TypeError, ValueError
            If the operands don't fit each other or the machine.
        MachineError
            As `run` does.
        """
        return self._ask(gemm_work(self.config, a, b, bias, policy, output), progress)

    def convert(
        self, x: ArrayLike, *, transposed: bool = False, policy: Policy | None = None,
        progress: Progress | None = None,
    ) -> MXTensor:
        """Make floats the B of a later GEMM on the machine, as `golden.convert` does.

        Parameters
        ----------
        x : array_like, shape (n, k), or (k, n) if `transposed`
            In FP32, FP16 or BF16.
        transposed : bool
        policy : golden.Policy, optional
            Of the K-blocks of B; all in MX6 if left out.
        progress : callable, optional

        Returns
        -------
        MXTensor, shape (k, n)

        Raises
        ------
        TypeError, ValueError, MachineError
            As `gemm` does.
        """
        return self._ask(conversion_work(self.config, x, transposed, policy), progress)

    def run(
        self, works: Iterable[Work], *, progress: Progress | None = None,
        counters: Sequence[str] | None = None,
    ) -> list[Outcome]:
        """Run jobs back to back, as many under way as the machine and its tables take.

        Parameters
        ----------
        works : iterable of Work
        progress : callable, optional
            Called when a job has ended, and at least every `hw.host.carrier_driver.LOOK` cycles.
        counters : sequence of str, optional
            Which are read, of `hw.host.carrier_driver.COUNTER_NAMES`, and only their lower words;
            whole and all of them by default.

        Returns
        -------
        list of Outcome
            In order. The counters are those of the job that ended last: None for a job whose
            successor ended before they were read.

        Raises
        ------
        TypeError, ValueError
            If a work's data are not those of its job, or there is no such counter; nothing is
            sent then.
        RuntimeError
            If a call is under way: from ``progress``, or from another thread.
        JobRefusedError
            If the machine does not take a job.
        StreamFaultError, ResultLengthError
            If packets did not fit, on either side.
        WaitTimeoutError
            If a job does not end, after `PATIENCE` times the cycles that it needs.
        """
        works, counters = list(works), _counter_names(counters)
        for work in works:
            check_work(work)
        if progress is not None and not callable(progress):
            raise TypeError(f"progress must be a function of two numbers, not {progress!r}")
        with self._alone():
            if not self._state.is_clean:
                complete(self._abort())
            self._state.is_clean = False
            outcomes = complete(
                self._run(works, progress or (lambda ended, cycles: None), counters))
            self._state.is_clean = True
        return outcomes

    def abort(self) -> None:
        """Give up the jobs under way, and whatever has been queued for them.

        Raises
        ------
        WaitTimeoutError
            If results still wait to be taken at the driver's limit. The machine has not been
            resumed then; `abort` may be called again.
        RuntimeError
            If a call is under way; an error raised by its ``progress`` cancels that.
        """
        with self._alone():
            complete(self._abort())

    def channel_maxima(self, k: int) -> np.ndarray:
        """Read each channel's largest magnitude in the last job that measured: FP32, shape (k,).

        Raises
        ------
        TypeError, ValueError
            If `k` is no number of channels that the machine has.
        """
        k = whole(k, "k", least=0)
        if k > self.config.k_max:
            raise ValueError(f"k = {k} is over the machine's limit of {self.config.k_max}")
        return np.array(complete(self.driver.channel_maxima(k)), np.uint32).view(np.float32)

    def _ask(self, work: Work, progress: Progress | None) -> np.ndarray | MXTensor:
        outcome, = self.run([work], progress=progress)
        return as_array(self.config, work.job, outcome.results)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other calls out."""
        if self._state.is_busy:
            raise RuntimeError("a call of this machine is under way: begin the next one when it "
                               "has ended, or raise an error from its progress to cancel it")
        self._state.is_busy = True
        try:
            yield
        finally:
            self._state.is_busy = False

    async def _run(
        self, works: list[Work], progress: Progress, counters: Sequence[str] | None
    ) -> list[Outcome]:
        driver, began, state = self.driver, self.carrier.cycles, self._state
        await driver.enable()
        before = await driver.read("JOBS_ENDED")
        if before != state.ended:
            state.tables.clear()  # a reset has emptied them, or others have used them
        bounds: list[int] = []
        starts: list[tuple[int, tuple[str, ...]]] = []
        outcomes: list[Outcome] = []
        while len(outcomes) < len(works):
            ended = len(outcomes)
            while len(starts) < len(works) and len(starts) - ended < self._slots:
                work = works[len(starts)]
                if state.tables.must_wait(work, works[ended : len(starts)]):
                    break
                bounds.append(self._feed(work))
                loaded = await self._load_table(work)
                await self._start(work)
                starts.append((driver.commanded, loaded))
            limit = LEAST_PATIENCE + PATIENCE * sum(bounds[ended:])
            await driver.wait(before + ended + 1, limit,
                              lambda: progress(len(outcomes), self.carrier.cycles - began))
            latched = await driver.counters(counters)
            is_last = await driver.read("JOBS_ENDED") == (before + ended + 1) % (1 << 32)
            job = works[ended].job
            packets = self.carrier.take(packet_count(self.config, job), limit)
            results = read_results(self.config, job, packets)
            outcomes.append(Outcome(results, latched if is_last else None, *starts[ended]))
            progress(len(outcomes), self.carrier.cycles - began)
        await driver.check()
        state.ended = (before + len(works)) % (1 << 32)
        return outcomes

    async def _start(self, work: Work) -> None:
        try:
            await self.driver.start(work.job)
        except JobRefusedError:
            self._state.tables.clear()  # if it is for its table, that is not what we thought
            raise

    def _feed(self, work: Work) -> int:
        """Queue a job's packets, B's as often as they are read; return its `cycles_bound`."""
        act = act_packets(self.config, work)
        weights = weight_packets(self.config, work) * weight_passes(self.config, work.job)
        self.carrier.send(ACTIVATIONS, act)
        self.carrier.send(WEIGHTS, weights)
        return cycles_bound(self.config, work.job, act, weights)

    async def _load_table(self, work: Work) -> tuple[str, ...]:
        """Load what a job's table lacks; name it."""
        parts = self._state.tables.missing(work)
        if parts:
            await self.driver.load_table(work.job.table, **parts)
        return tuple(parts)

    async def _abort(self) -> None:
        self._state.is_clean, driver = False, self.driver
        deadline = self.carrier.cycles + driver.limit
        await driver.abort()
        self.carrier.drain(driver.limit)  # the machine swallows it
        while await driver.output_pending():
            if self.carrier.cycles >= deadline:
                raise WaitTimeoutError(f"STATUS still shows OUTPUT_PENDING, {driver.limit} cycles "
                                       "after ABORT")
            self.carrier.drain(driver.limit)
        await driver.clear_faults()
        await driver.resume()
        self._state.is_clean = True


def _counter_names(names: Sequence[str] | None) -> Sequence[str] | None:
    """Return names of counters, all of which there are."""
    if names is None:
        return None
    if isinstance(names, str):
        raise TypeError(f"counters must be a list of names, not {names!r}")
    for name in (names := list(names)):
        if name not in COUNTER_NAMES:
            raise ValueError(f"there is no counter {name!r}, but {', '.join(COUNTER_NAMES)}")
    return names
