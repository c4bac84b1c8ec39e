"""A host that reads, writes and masks whatever it likes while jobs run; the jobs must not mind."""

import numpy as np

from hw.host.driver_errors import BusError
from hw.registers.built import build_values
from hw.registers.map import ADDRESSES, REGISTER, REGISTERS, Access, TablePart
from sim_tests.fuzz.rig import SETTINGS, Rig
from sim_tests.fuzz.under_way import UnderWay
from simulation.arguments import ADDRESS_BITS

ABSENT = [address for address in range(0, 1 << ADDRESS_BITS, 4)
          if address not in set(ADDRESSES.values())]


class Meddler:
    """Do to the registers what jobs under way must not notice, and check every answer.

    Parameters
    ----------
    rig : Rig
    jobs : UnderWay
    """

    def __init__(self, rig: Rig, jobs: UnderWay):
        self.rig, self.jobs = rig, jobs
        self.constants = build_values(rig.config)

    def meddle(self) -> None:
        """Do one to four things."""
        deeds = (self.read_any, self.write_read_only, self.scribble, self.mask, self.rewrite_table)
        for _ in range(int(self.rig.rng.integers(1, 5))):
            deed = deeds[self.rig.rng.integers(len(deeds))]
            deed()
            self.rig.tally["meddled"] += 1

    def read_any(self) -> None:
        """Read any address; what is not there, or can't be read, answers SLVERR."""
        if self.rig.chance(0.1):
            address = int(self.rig.rng.choice(ABSENT))
            assert self._refuses(lambda: self.rig.machine.read(address)), f"{address:#x} is read"
            return
        register = REGISTERS[self.rig.rng.integers(len(REGISTERS))]
        name = register.name
        if not register.access.is_readable:
            assert self._refuses(lambda: self.rig.read(name)), f"{name} is read"
            return
        value = self.rig.read(name)
        used = sum(field.mask for field in register.fields)
        assert value & ~used == 0, f"{name} reads {value:#x}"
        known = self.constants | self.rig.settings
        assert known.get(name, value) == value, f"{name} reads {value:#x}, not {known[name]:#x}"

    def write_read_only(self) -> None:
        """Write what can't be written: it answers SLVERR, and nothing happens."""
        fixed = [register.address for register in REGISTERS
                 if register.access in (Access.CONSTANT, Access.STATE)]
        address = int(self.rig.rng.choice(fixed if self.rig.chance(0.5) else ABSENT))
        value = int(self.rig.rng.integers(1 << 32))
        assert self._refuses(lambda: self.rig.machine.write(address, value)), (
            f"{address:#x} is written")

    def scribble(self) -> None:
        """Write anything into a setting, also of the job that was just started."""
        name = str(self.rig.rng.choice(list(SETTINGS)))
        self.rig.write(name, int(self.rig.rng.integers(1 << 32)))

    def mask(self) -> None:
        """Enable and disable interrupts: the line follows."""
        rig, enabled = self.rig, int(self.rig.rng.integers(1 << 6))
        rig.write("IRQ_ENABLE", enabled)
        before = rig.read("IRQ_PENDING")
        line = rig.machine.interrupt
        after = rig.read("IRQ_PENDING")
        assert before & ~after == 0, "an interrupt went away by itself"
        assert bool(before & enabled) <= line <= bool(after & enabled), (
            f"irq is {line:d} with {before:#x} to {after:#x} pending and {enabled:#x} enabled")
        rig.tally["interrupts"] += line

    def rewrite_table(self) -> None:
        """Clear a part of a table, or add entries: refused while a job under way uses it."""
        rig, rng = self.rig, self.rig.rng
        table = int(rng.integers(rig.config.tables + rig.chance(0.1)))
        rig.write("TABLE_SELECT", table)
        if rig.chance(0.3):
            parts = TablePart(int(rng.integers(1, 4)))
            if self._is_taken("TABLE_CLEAR", parts.value, table, fits=True):
                rig.tables.forget(table, [part.name.lower() for part in TablePart if part in parts])
            return
        name, register, place, most = (
            ("order", "ORDER_ENTRY", "place", rig.config.k_max) if rig.chance(0.6)
            else ("tags", "TAG_ENTRY", "k_block", rig.config.k_blocks_max))
        for _ in range(int(rng.integers(1, 4))):
            held = list(rig.tables.part(table, name))
            at = len(held) if rig.chance(0.7) else int(
                rng.integers(1 << 16 if rig.chance(0.2) else most + 1))
            value = int(rng.integers(most + 1) if name == "order" else rng.integers(2))
            fields = {place: at, "channel" if name == "order" else "mx9": value}
            fits = at == len(held) and at < most and (name == "tags" or value < most)
            if self._is_taken(register, REGISTER[register].pack(**fields), table, fits=fits):
                rig.tables.note(table, {name: np.array([*held, value])})

    def _is_taken(self, register: str, value: int, table: int, *, fits: bool) -> bool:
        """Write an entry, and tell whether it was taken, as it must be or must not be."""
        before = self.jobs.ended()
        refused = self._refuses(lambda: self.rig.write(register, value))
        used_before = self.jobs.uses(table, before)
        used_after = self.jobs.uses(table, self.jobs.ended())
        exists = table < self.rig.config.tables
        what = f"{register} {value:#x} of table {table}"
        if not fits or not exists or used_after:
            assert refused, f"{what} was taken"
            self.rig.tally["tables in use"] += used_after
        elif not used_before:
            assert not refused, f"{what} was refused"
            self.rig.tally["tables rewritten"] += len(self.jobs.started) > before
        return not refused

    @staticmethod
    def _refuses(access) -> bool:
        try:
            access()
        except BusError:
            return True
        return False
