"""What software does to run jobs, through registers alone; `hw.host.machine` adds the streams."""

import asyncio
import time

from hw.registers.codes import Command, Refusal, StreamFault, TablePart
from hw.registers.map import (
    ADDRESSES,
    BUILD,
    COUNTERS,
    FAULTS,
    IDENTIFICATION,
    REFUSED,
    REGISTER,
    VERSION,
)

from .driver_errors import (
    BusError,
    CommandFaultError,
    JobRefusedError,
    MachineError,
    NoMachineError,
    ProtocolError,
    ResultLengthError,
    StreamFaultError,
    WaitTimeoutError,
)
from .job_request import Job
from .packet_order import resident_tiles, result_rows, weight_passes

__all__ = ["LIMIT", "BusError", "CommandFaultError", "Driver", "Job", "JobRefusedError",
           "MachineError", "NoMachineError", "ProtocolError", "ResultLengthError",
           "StreamFaultError", "WaitTimeoutError", "let_others_run", "resident_tiles",
           "result_rows", "weight_passes"]

LIMIT = 600.0
"""Seconds after which a wait is given up, unless the driver or the call has another limit."""

PARAMETERS = tuple(register.name for register in BUILD if register.name not in ("ID", "VERSION"))
"""The registers that show the build parameters."""


_COUNTS = 1 << 32
"""JOBS_ENDED counts modulo this."""


async def let_others_run():
    """Let the other tasks of asyncio run, where its loop runs.

    Elsewhere it returns at once: under cocotb every read suspends by itself. A driver for another
    loop, or one that shall not keep a core busy, is given a `pause` of its own.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    await asyncio.sleep(0)


class Driver:
    """Run jobs through the registers of a machine.

    Parameters
    ----------
    read : callable
        ``await read(address)`` returns a 32-bit register.
    write : callable
        ``await write(address, value)`` sets one, and raises `BusError` if that is refused.
    pause : callable, optional
        ``await pause()`` passes the time between two looks at the machine.
    clock : callable, optional
        ``clock()`` tells the time in seconds: the host's by default, a simulation may have its own.
    limit : float, optional
        Seconds after which a wait is given up.
    """

    def __init__(self, read, write, *, pause=let_others_run, clock=time.monotonic, limit=LIMIT):
        self._read, self._write = read, write
        self._pause, self._clock, self.limit = pause, clock, limit
        self.orders, self.tags = {}, {}  # entries that were loaded, by table

    async def read(self, name):
        """Read a register by name."""
        return await self._read(ADDRESSES[name])

    async def write(self, name, value):
        """Write a register by name."""
        await self._write(ADDRESSES[name], value)

    async def fields(self, name):
        """Read a register's fields, by their names in lower case."""
        return REGISTER[name].unpack(await self.read(name))

    async def identify(self):
        """Check that a machine answers, and return its build parameters by register name.

        Raises
        ------
        NoMachineError
            If there is no machine, or one with another register map.
        """
        found = await self.read("ID")
        if found != IDENTIFICATION:
            raise NoMachineError(f"no accelerator answers: ID reads {found:#010x}")
        version = await self.read("VERSION")
        major = REGISTER["VERSION"].unpack
        if major(version)["major"] != major(VERSION)["major"]:
            raise NoMachineError(f"the machine's register map is version {version:#010x}, "
                                 f"this driver's {VERSION:#010x}")
        return {name: await self.read(name) for name in PARAMETERS}

    async def start(self, job):
        """Start a job; packets that were offered before have waited for it.

        Raises
        ------
        JobRefusedError
            If the machine does not take the job. It then takes the next good one.
        """
        for name, value in job.registers().items():
            await self.write(name, value)
        await self.write("CONTROL", Command.START.value)
        code = await self.read("REFUSAL")
        if code != Refusal.NONE:
            await self.write("IRQ_PENDING", 1 << REFUSED)
            raise JobRefusedError(code)

    async def check(self):
        """Raise `StreamFaultError` for the stream faults since the last check, and clear them."""
        faults = await self.read("IRQ_PENDING") >> FAULTS
        if faults:
            await self.write("IRQ_PENDING", faults << FAULTS)
            raise StreamFaultError(faults)

    async def clear_faults(self):
        """Forget the stream faults since the last check."""
        await self.write("IRQ_PENDING", sum(StreamFault) << FAULTS)

    async def wait(self, ended, limit=None):
        """Wait until so many jobs have ended since reset.

        Parameters
        ----------
        ended : int
            Counted modulo 2^32, as JOBS_ENDED does; less than 2^31 jobs ahead of it.
        limit : float, optional
            Seconds; by default the driver's.

        Raises
        ------
        WaitTimeoutError
            If they have not ended by then.
        """
        limit = self.limit if limit is None else limit
        deadline = self.deadline(limit)
        while missing := await self.missing(ended):
            await self.pause(deadline, f"{missing} of the awaited jobs had not ended after "
                             f"{limit:g} s: JOBS_ENDED is {(ended - missing) % _COUNTS}, "
                             f"{ended % _COUNTS} was awaited")

    async def missing(self, ended):
        """Count the jobs that must still end until so many have; 0 once that is so."""
        missing = (ended - await self.read("JOBS_ENDED")) % _COUNTS
        return missing if missing < _COUNTS // 2 else 0

    def deadline(self, limit):
        """Return the time, for `pause`, at which a wait of `limit` seconds from now is given up."""
        return self._clock() + limit

    async def pause(self, deadline, so_far):
        """Pass the time to the next look at the machine.

        Raises
        ------
        WaitTimeoutError
            Once the deadline has passed; `so_far` says how far the machine came.
        """
        if self._clock() >= deadline:
            raise WaitTimeoutError(so_far)
        await self._pause()

    async def counters(self):
        """Return the counters of the job that ended last, by lower-case name."""
        return {name.lower(): await self.read(f"{name}_LOW") | await self.read(f"{name}_HIGH") << 32
                for name, _ in COUNTERS}

    async def output_pending(self):
        """Tell whether a result waits to be taken, or its packet has not ended."""
        return bool((await self.fields("STATUS"))["output_pending"])

    async def abort(self):
        """Drop every job under way; what still comes in is swallowed until `resume`."""
        await self.write("CONTROL", Command.ABORT.value)

    async def resume(self):
        """Let jobs in again after `abort`, once no packet of a dropped job is on its way."""
        await self.write("CONTROL", Command.RESUME.value)

    async def load_table(self, table, order=None, tags=None):
        """Load a calibration table while no job under way uses it.

        Parameters
        ----------
        table : int
        order : sequence of int, optional
            The channel that comes to each place: a permutation of all K of them.
        tags : sequence of bool, optional
            Which K-blocks are MX9, in the new order.

        Raises
        ------
        ValueError
            If there is no such table, or it can't hold that.
        BusError
            If a job under way uses it.
        """
        tables, k_max = await self.read("TABLES"), await self.read("K_MAX")
        if not 0 <= table < tables:
            raise ValueError(f"there is no table {table}: the machine has {tables}, from 0")
        order = [int(channel) for channel in ([] if order is None else order)]
        tags = [bool(tag) for tag in ([] if tags is None else tags)]
        if sorted(order) != list(range(len(order))):
            raise ValueError(f"an order must name each of its {len(order)} channels once, from 0")
        if len(order) > k_max or len(tags) > -(-k_max // 16):
            raise ValueError(f"K_MAX={k_max} is less than {len(order)} channels in order or "
                             f"{len(tags)} tagged K-blocks")
        await self.write("TABLE_SELECT", table)
        for part, loaded, register, entries in (
                (TablePart.ORDER, self.orders, "ORDER_ENTRY",
                 [REGISTER["ORDER_ENTRY"].pack(place=place, channel=channel)
                  for place, channel in enumerate(order)]),
                (TablePart.TAGS, self.tags, "TAG_ENTRY",
                 [REGISTER["TAG_ENTRY"].pack(k_block=k_block, mx9=is_mx9)
                  for k_block, is_mx9 in enumerate(tags)])):
            if entries:
                await self.write("TABLE_CLEAR", part.value)
                loaded.pop(table, None)  # what takes only some of its entries is not loaded
                for entry in entries:
                    await self.write(register, entry)
                loaded[table] = len(entries)

    async def channel_maxima(self, k):
        """Read each channel's largest magnitude in the last job that measured: FP32 patterns."""
        maxima = []
        for channel in range(k):
            await self.write("MAXIMUM_CHANNEL", channel)
            maxima.append(await self.read("MAXIMUM"))
        return maxima
