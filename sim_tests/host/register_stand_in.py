"""Registers with no machine behind them, for tests of drivers: the map's rules and little more."""

from collections.abc import Mapping

from hw.contract.config import Config
from hw.contract.job_codes import FORMAT_CODES
from hw.host.driver import BusError
from hw.registers.map import (
    ENDED,
    IDENTIFICATION,
    JOB,
    REFUSED,
    REGISTERS,
    VERSION,
    Access,
    Command,
    Refusal,
    TablePart,
)

BY_ADDRESS = {register.address: register for register in REGISTERS}
JOB_SLOTS = 4

SMALL = Config.sized(rows=4, cols=4, k_max=300, tables=4, float_formats=("bf16", "fp32"),
                     rounding="truncate", cell_stages=2, drain_lanes=8)


def build_parameters(config: Config) -> dict[str, int]:
    """Give what the registers of a machine with MX outputs show, by name."""
    same = ("rows", "cols", "acc_width", "k_max", "act_bytes", "weight_bytes", "result_bytes",
            "act_depth", "weight_depth", "tile_slots", "stage_depth", "drain_lanes", "tables",
            "fraction_bits", "cell_stages", "weight_slots", "result_depth", "bus_bytes",
            "address_bits", "burst_beats", "read_depth", "outstanding", "bus_clock",
            "blocks_per_cycle")
    return {name.upper(): getattr(config, name) for name in same} | {
        "FORMATS": sum(1 << FORMAT_CODES[name] for name in config.float_formats),
        "JOB_SLOTS": JOB_SLOTS, "OUTPUTS": 0b11111,
        "ROUNDING": ("half_even", "truncate").index(config.rounding),
    }


class StandIn:
    """Answer reads and writes as the map says; jobs end when the test says so.

    Attributes
    ----------
    values : dict of str to int
        What the registers hold.
    jobs : list of dict
        Values of the JOB registers of each job that was taken.
    orders, tags : dict
        By table: destination of each channel, tag of each K-block.
    """

    def __init__(self, config: Config):
        self.values = {register.name: 0 for register in REGISTERS}
        self.values |= build_parameters(config)
        self.values |= {"ID": IDENTIFICATION, "VERSION": VERSION}
        self.config = config
        self.jobs: list[dict[str, int]] = []
        self.under_way: list[dict[str, int]] = []
        self.draining = False
        self.orders: dict[int, dict[int, int]] = {}
        self.tags: dict[int, dict[int, int]] = {}
        self.maxima: dict[int, int] = {}

    def read(self, address: int) -> int:
        """Read a register."""
        register = BY_ADDRESS.get(address)
        if register is None or not register.access.is_readable:
            raise BusError(f"no register is read at {address:#x}")
        if register.name == "MAXIMUM":
            return self.maxima[self.values["MAXIMUM_CHANNEL"]]
        return self.values[register.name]

    def write(self, address: int, value: int) -> None:
        """Write a register."""
        register = BY_ADDRESS.get(address)
        if register is None or register.access in (Access.CONSTANT, Access.STATE):
            raise BusError(f"no register is written at {address:#x}")
        match register.access:
            case Access.SETTING:
                self.values[register.name] = value & (1 << register.width) - 1
            case Access.EVENT:
                self.values[register.name] &= ~value
            case Access.COMMAND:
                self._command(Command(value))
            case Access.ENTRY:
                self._entry(register.name, value)

    def end_job(self, counters: Mapping[str, int] | None = None) -> None:
        """Let the oldest job under way end, with counters by lower-case name."""
        self.under_way.pop(0)
        self.values["JOBS_ENDED"] = (self.values["JOBS_ENDED"] + 1) % (1 << 32)
        self.values["IRQ_PENDING"] |= 1 << ENDED
        for name, value in (counters or {}).items():
            self.values[f"{name.upper()}_LOW"] = value & 0xFFFFFFFF
            self.values[f"{name.upper()}_HIGH"] = value >> 32

    def _command(self, command: Command) -> None:
        if Command.START in command:
            job = {register.name: self.values[register.name] for register in JOB}
            refusal = self._refusal(job)
            self.values["REFUSAL"] = refusal
            if refusal:
                self.values["IRQ_PENDING"] |= 1 << REFUSED
            else:
                self.jobs.append(job)
                self.under_way.append(job)
        if Command.ABORT in command:
            self.draining = True
            self.under_way.clear()
        elif Command.RESUME in command:
            self.draining = False

    def _refusal(self, job: dict[str, int]) -> Refusal:
        if self.draining:
            return Refusal.DRAINING
        if len(self.under_way) == JOB_SLOTS:
            return Refusal.QUEUE_FULL
        if not (job["JOB_M"] and job["JOB_N"] and job["JOB_K"]):
            return Refusal.ZERO_SIZE
        return Refusal.K_TOO_LARGE if job["JOB_K"] > self.config.k_max else Refusal.NONE

    def _entry(self, name: str, value: int) -> None:
        table, high, low = self.values["TABLE_SELECT"], value >> 16, value & 0xFFFF
        used = any(job["JOB_TABLE"] == table and job["JOB_FLAGS"] for job in self.under_way)
        if used or table >= self.config.tables:
            raise BusError(f"table {table} takes no entries")
        if name == "TABLE_CLEAR":
            for part, entries in ((TablePart.ORDER, self.orders), (TablePart.TAGS, self.tags)):
                if value & part:
                    entries[table] = {}
            return
        entries, index = (self.orders, low) if name == "ORDER_ENTRY" else (self.tags, high)
        if index != len(entries.setdefault(table, {})):
            raise BusError(f"{name} {index} does not follow {len(entries[table])} others")
        entries[table][high] = low


class Bus:
    """A backend without streams: coroutines over registers that follow the map."""

    def __init__(self, config: Config = SMALL):
        self.registers = StandIn(config)

    async def read(self, address: int) -> int:
        """Read a register."""
        return self.registers.read(address)

    async def write(self, address: int, value: int) -> None:
        """Write a register."""
        self.registers.write(address, value)


class Refusing:
    """Beside a stand-in: one access is refused, `left` accesses from now; negative is the past."""

    left = -1

    def read(self, address: int) -> int:
        """Read a register, or refuse to."""
        self._count()
        return super().read(address)

    def write(self, address: int, value: int) -> None:
        """Write a register, or refuse to."""
        self._count()
        super().write(address, value)

    def _count(self) -> None:
        self.left -= 1
        if self.left == -1:
            raise BusError("refused")
