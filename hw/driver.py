"""What software does to run jobs, through registers alone; `hw.session` adds the streams."""

from golden.formats import FLOAT_FORMATS

from .config import Config
from .job_request import Job
from .packet_order import resident_tiles, result_rows, weight_passes
from .register_codes import Command, Refusal, Rounding, StreamFault, TablePart
from .registers import (
    ADDRESSES,
    BUILD,
    CONTROL,
    COUNTERS,
    FAULTS,
    IDENTIFICATION,
    REFUSED,
    VERSION,
)
from .widen import FORMAT_CODES

__all__ = ["BusError", "Driver", "Job", "JobRefusedError", "StreamFaultError", "build_config",
           "resident_tiles", "result_rows", "weight_passes"]

PARAMETERS = tuple(register.name for register in BUILD if register.name not in ("ID", "VERSION"))
"""The registers that show the build parameters."""


_OUTPUT_PENDING = next(field.mask for register in CONTROL for field in register.fields
                       if field.name == "OUTPUT_PENDING")


class BusError(RuntimeError):
    """A register access was answered with SLVERR."""


class JobRefusedError(ValueError):
    """The machine did not take a job; `code` is its `Refusal`."""

    def __init__(self, code):
        self.code = Refusal(code)
        super().__init__(f"{self.code.name}: {self.code.doc}")


class StreamFaultError(RuntimeError):
    """Packets did not fit their jobs; `faults` are the `StreamFault` flags."""

    def __init__(self, faults):
        self.faults = StreamFault(faults)
        super().__init__("; ".join(f"{fault.name}: {fault.doc}" for fault in self.faults))


def build_config(parameters):
    """Make the configuration of a machine from its build parameters.

    Parameters
    ----------
    parameters : dict of str to int
        As from `Driver.identify`.

    Returns
    -------
    Config
        Its `float_formats` in the order of `golden.formats.FLOAT_FORMATS`.
    """
    shown = {name.lower(): value for name, value in parameters.items()}
    formats = tuple(name for name in FLOAT_FORMATS
                    if shown["formats"] >> FORMAT_CODES[name] & 1)
    names = ("rows", "cols", "acc_width", "k_max", "act_bytes", "weight_bytes", "act_depth",
             "weight_depth", "stage_depth", "tile_slots", "cell_stages", "drain_lanes", "tables")
    return Config(float_formats=formats, rounding=Rounding(shown["rounding"]).name.lower(),
                  **{name: shown[name] for name in names})


class Driver:
    """Run jobs through the registers of a machine.

    Parameters
    ----------
    read : callable
        ``await read(address)`` returns a 32-bit register.
    write : callable
        ``await write(address, value)`` sets one, and raises `BusError` if that is refused.
    """

    def __init__(self, read, write):
        self._read, self._write = read, write
        self.orders, self.tags = {}, {}  # entries that were loaded, by table

    async def read(self, name):
        """Read a register by name."""
        return await self._read(ADDRESSES[name])

    async def write(self, name, value):
        """Write a register by name."""
        await self._write(ADDRESSES[name], value)

    async def identify(self):
        """Check that a machine answers, and return its build parameters by register name.

        Raises
        ------
        RuntimeError
            If there is no machine, or one with another register map.
        """
        found = await self.read("ID")
        if found != IDENTIFICATION:
            raise RuntimeError(f"no accelerator answers: ID reads {found:#010x}")
        version = await self.read("VERSION")
        if version >> 16 != VERSION >> 16:
            raise RuntimeError(f"the machine's register map is version {version:#010x}, "
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

    async def wait(self, ended):
        """Wait until so many jobs have ended since reset; the count wraps at 2^32."""
        while 0 < (ended - await self.read("JOBS_ENDED")) % (1 << 32) < 1 << 31:
            pass

    async def counters(self):
        """Return the counters of the job that ended last, by lower-case name."""
        return {name.lower(): await self.read(f"{name}_LOW") | await self.read(f"{name}_HIGH") << 32
                for name, _ in COUNTERS}

    async def output_pending(self):
        """Tell whether a result waits to be taken, or its packet has not ended."""
        return bool(await self.read("STATUS") & _OUTPUT_PENDING)

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
        await self.write("TABLE_CLEAR",
                         TablePart.ORDER * bool(order) | TablePart.TAGS * bool(tags))
        if order:
            self.orders[table] = len(order)
        if tags:
            self.tags[table] = len(tags)
        for place, channel in enumerate(order):
            await self.write("ORDER_ENTRY", channel << 16 | place)
        for k_block, is_mx9 in enumerate(tags):
            await self.write("TAG_ENTRY", k_block << 16 | is_mx9)

    async def channel_maxima(self, k):
        """Read each channel's largest magnitude in the last job that measured: FP32 patterns."""
        maxima = []
        for channel in range(k):
            await self.write("MAXIMUM_CHANNEL", channel)
            maxima.append(await self.read("MAXIMUM"))
        return maxima
