"""What software does to run jobs: registers, and the order in which the streams carry things."""

from dataclasses import dataclass

from golden.formats import BLOCK_SIZE

from .config import BASE_BLOCK_BITS
from .outlier_policy import Selection
from .registers import (
    ADDRESSES,
    COUNTERS,
    FAULTS,
    IDENTIFICATION,
    REFUSED,
    Refusal,
    StreamFault,
)
from .widen import FORMAT_CODES

BASE_BYTES = BASE_BLOCK_BITS // 8

SENTENCES = {
    Refusal.ZERO_SIZE: "M, N and K must be at least 1",
    Refusal.K_TOO_LARGE: "K is larger than the machine's K_MAX",
    Refusal.TILES_OUT_OF_RANGE: "the resident token tiles do not fit: use fewer tiles",
    Refusal.UNKNOWN_FORMAT: "the machine was not built for this activation format",
    Refusal.UNKNOWN_SELECTION: "the selection must be top or threshold",
    Refusal.TOO_MANY_UNITS: "there are fewer K-blocks than outlier units",
    Refusal.NEGATIVE_THRESHOLD: "the threshold is a magnitude and has no sign",
    Refusal.QUEUE_FULL: "too many jobs are under way; wait for one to end",
    StreamFault.ACT_LENGTH: "a row of activations ended early or late",
    StreamFault.ACT_KEEP: "tkeep of the activations does not fit K",
    StreamFault.WEIGHT_LENGTH: "a weight tile ended early or late",
    StreamFault.WEIGHT_KEEP: "tkeep of the weights must be all ones",
}
"""What is wrong, as a sentence."""


class JobRefusedError(ValueError):
    """The machine did not take a job; `code` is its `Refusal`."""

    def __init__(self, code):
        self.code = Refusal(code)
        super().__init__(f"{self.code.name}: {SENTENCES[self.code]}")


class StreamFaultError(RuntimeError):
    """Packets did not fit their jobs; `faults` are the `StreamFault` flags."""

    def __init__(self, faults):
        self.faults = StreamFault(faults)
        super().__init__("; ".join(f"{fault.name}: {SENTENCES[fault]}" for fault in self.faults))


@dataclass(frozen=True, kw_only=True)
class Job:
    """One GEMM, C[m, n] = A[m, k]·B[k, n].

    Attributes
    ----------
    m, n, k : int
    tiles : int
        Token tiles of A that stay on chip while B streams by once; see `resident_tiles`.
    float_format : str
        "fp32", "fp16" or "bf16".
    selection : Selection
    units : int
        For TOP: MX9 K-blocks per token tile.
    threshold : int
        For THRESHOLD: FP32 pattern that an MX9 K-block's magnitude exceeds.
    """

    m: int
    n: int
    k: int
    tiles: int = 1
    float_format: str = "fp32"
    selection: Selection = Selection.TOP
    units: int = 0
    threshold: int = 0

    def registers(self):
        """Give the job registers' values, by register name."""
        return {
            "JOB_M": self.m, "JOB_N": self.n, "JOB_K": self.k, "JOB_TILES": self.tiles,
            "JOB_FORMAT": FORMAT_CODES[self.float_format],
            "JOB_SELECTION": self.selection.value, "JOB_UNITS": self.units,
            "JOB_THRESHOLD": self.threshold,
        }


def resident_tiles(config, m, k):
    """Choose how many token tiles stay on chip while B streams by once.

    Half of the memory, so that the other half takes the next group meanwhile; but not so few that
    the weight stream, which brings a K-block in several beats, can't keep the array busy.

    Parameters
    ----------
    config : Config
    m, k : int
        Rows and columns of A.
    """
    k_blocks = -(-k // BLOCK_SIZE)
    enough = -(-config.cols * BASE_BYTES // config.weight_bytes) + 1
    tiles = max(config.act_depth // 2 // k_blocks, min(enough, config.act_depth // k_blocks), 1)
    return min(tiles, config.tile_slots // 2, -(-m // config.rows))


def weight_passes(config, job):
    """Count how often all of B streams by: once per group of resident token tiles."""
    return -(-job.m // (config.rows * job.tiles))


def result_rows(config, job):
    """List the packets of ``m_axis_out`` in order.

    Yields
    ------
    tuple of (int, int, int)
        Row of C, its first column here, columns here.
    """
    group_rows = config.rows * job.tiles
    for group in range(0, job.m, group_rows):
        for col in range(0, job.n, config.cols):
            for row in range(group, min(group + group_rows, job.m)):
                yield row, col, min(config.cols, job.n - col)


class Driver:
    """Run jobs through the registers of a machine.

    Parameters
    ----------
    read : callable
        ``await read(address)`` returns a 32-bit register.
    write : callable
        ``await write(address, value)`` sets one.
    """

    def __init__(self, read, write):
        self._read, self._write = read, write

    async def read(self, name):
        """Read a register by name."""
        return await self._read(ADDRESSES[name])

    async def write(self, name, value):
        """Write a register by name."""
        await self._write(ADDRESSES[name], value)

    async def identify(self):
        """Check that a machine answers, and return its build parameters by register name."""
        found = await self.read("ID")
        if found != IDENTIFICATION:
            raise RuntimeError(f"no accelerator answers: ID reads {found:#010x}")
        return {name: await self.read(name)
                for name in ("ROWS", "COLS", "ACC_WIDTH", "K_MAX", "ACT_BYTES", "WEIGHT_BYTES",
                             "RESULT_BYTES", "ACT_DEPTH", "WEIGHT_DEPTH", "TILE_SLOTS", "FORMATS",
                             "JOB_SLOTS")}

    async def start(self, job):
        """Start a job; its streams may flow from now on.

        Raises
        ------
        JobRefusedError
            If the machine does not take the job. It then takes the next good one.
        """
        for name, value in job.registers().items():
            await self.write(name, value)
        await self.write("CONTROL", 1)
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

    async def wait(self, ended):
        """Wait until so many jobs have ended since reset."""
        while (await self.read("JOBS_ENDED")) < ended:
            pass

    async def counters(self):
        """Return the counters of the job that ended last, by lower-case name."""
        return {name.lower(): await self.read(f"{name}_LOW") | await self.read(f"{name}_HIGH") << 32
                for name, _ in COUNTERS}
