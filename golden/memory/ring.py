"""The command ring: which commands run, in what order, and what a fault leaves behind."""

from golden.arguments import whole
from golden.memory import layouts
from golden.memory.byte_memory import BusError, Memory
from golden.memory.checks import check_job, check_table, tagged_blocks
from golden.memory.compute import Read, results
from golden.memory.descriptor import ALIGNMENT, BYTES, Command, Operation
from golden.memory.faults import CommandError, Fault
from golden.memory.fences import Fences
from golden.memory.machine import Machine
from golden.memory.tables import NO_ORDER, NO_TAGS, Table, order_of, tags_of

COUNT_BYTES = 4
PAGE_BYTES = 4096
"""The window begins and ends at multiples of it."""

_COUNTS = 1 << 8 * COUNT_BYTES
"""The ring's counts wrap."""


class Ring:
    """A machine that takes commands from a ring in memory.

    Commands run one after the other, as far as anybody can tell: each begins with what those before
    it have written. The machine is free to begin one earlier, so that where it waits for nothing
    and reads what an earlier command writes, what it reads is not defined; lists must name such
    waits.

    Parameters
    ----------
    machine : Machine
    memory : Memory
    base : int
        Address of the ring, a multiple of 64.
    size : int
        Descriptors in it, a power of two.
    window : (int, int), optional
        First address that the machine may touch, and the first above it that it may not; rounded
        up and down to multiples of 4096. All that the bus has without.
    notify_address : int
        Where the count of ended commands is written when a command asks for it: a multiple of 4.
    ahead : int
        Commands behind a faulty one that may have written results before it stopped: a machine has
        eight under way at most.
    checks_fences : bool
        Raise a `FenceError` where a command reads what an earlier one of its list writes, and does
        not wait for it: on the machine, what it reads is not defined. A list is all that one
        doorbell adds; that software has waited for those before is taken for granted.

    Attributes
    ----------
    completed : int
        Commands that have ended: the sequence number of the one that is next.
    tail : int
        Commands that software has put into the ring.
    fault : Fault
        Why the ring stands still: at the command `completed`.
    refusal : str
        Where that is REFUSED: the reason.
    interrupts : int
        Commands that ended and asked for one.
    is_waiting : bool
        The command `completed` is a WAIT whose word has not come.
    undefined : list of (int, int)
        Address and size of what may hold anything: results of commands that had begun at a fault,
        where none has been written since. A command that is tried again writes all of them but what
        lies between a packed tile's end and its stride.
    """

    def __init__(self, machine: Machine, memory: Memory, base: int, size: int, *,
                 window: tuple[int, int] | None = None, notify_address: int = 0,
                 ahead: int = 7, checks_fences: bool = False) -> None:
        base, size = whole(base, "base", least=0), whole(size, "size", least=1)
        if base % ALIGNMENT or size & (size - 1):
            raise ValueError(f"a ring begins at a multiple of {ALIGNMENT} and has a power of two "
                             f"of descriptors, not {size} at {base:#x}")
        self.machine, self.memory, self.base, self.size = machine, memory, base, size
        first, end = window or (0, 1 << machine.address_bits)
        self.window = (-(-first // PAGE_BYTES) * PAGE_BYTES,
                       min(end, 1 << machine.address_bits) // PAGE_BYTES * PAGE_BYTES)
        self.notify_address, self.ahead = notify_address, ahead
        self.tables = [Table() for _ in range(machine.tables)]
        self.completed = self.tail = self.interrupts = 0
        self.fault, self.refusal, self.is_waiting = Fault.NONE, "", False
        self._fences, self._list_begin = (Fences() if checks_fences else None), 0
        self.undefined: list[tuple[int, int]] = []
        self._has_begun = False

    def address_of(self, sequence: int) -> int:
        """Return the address of a command's descriptor."""
        return self.base + sequence % self.size * BYTES

    def submit(self, commands: list[Command]) -> None:
        """Write descriptors behind the tail, and ring the doorbell.

        Raises
        ------
        ValueError
            If the ring has no room for them.
        """
        room = self.size - (self.tail - self.completed) % _COUNTS
        if len(commands) > room:
            raise ValueError(f"the ring has room for {room} commands, not for {len(commands)}")
        for number, command in enumerate(commands):
            self.memory.write(self.address_of(self.tail + number), command.pack())
        self.doorbell(self.tail + len(commands))

    def doorbell(self, tail: int) -> None:
        """Say that there are commands up to this count, and run what can run."""
        self.tail = tail % _COUNTS
        if self._fences:
            self._fences.begin()
            self._list_begin = self.completed
        self.run()

    def resume(self) -> None:
        """Try the command again at which the ring stands still."""
        self.fault, self.refusal = Fault.NONE, ""
        self.run()

    def skip(self) -> None:
        """Go on behind it: it counts as ended."""
        if self.fault is not Fault.NONE:
            self.completed = (self.completed + 1) % _COUNTS
        self.resume()

    def stop(self, fault: Fault) -> None:
        """Stand still at the command `completed`, since the bus failed or was left at it.

        What makes it fail is not in `memory`: for who compares a machine with this ring.
        """
        self.fault = fault
        self._note_half_done(self.ahead)

    def run(self) -> None:
        """Run commands until there is none, one has a fault, or one waits."""
        self.is_waiting = False
        while self.fault is Fault.NONE and not self.is_waiting and self.completed != self.tail:
            if (self.tail - self.completed) % _COUNTS > self.size:
                self.fault = Fault.OVERRUN
                return
            goes_on = self._has_begun = False
            try:
                command = self._unpack(self._read(self.address_of(self.completed), BYTES))
                goes_on = bool(command.goes_on)
                self.is_waiting = not self._carry_out(command)
                if not self.is_waiting:
                    self._notify(command)
                    self._end(command)
            except CommandError as error:
                if self._has_begun:
                    self._note_half_done(0 if goes_on else self.ahead)
                if goes_on:
                    self._end(command)
                else:
                    self.fault = error.fault
                    self.refusal = error.detail if error.fault is Fault.REFUSED else ""

    def _unpack(self, descriptor: bytes) -> Command:
        return Command.unpack(descriptor, has_vector=self.machine.has_vector)

    def _carry_out(self, command: Command) -> bool:
        """Carry a command out; return False if it has to wait."""
        machine, waits = self.machine, Operation(command.operation) is Operation.WAIT
        if not waits and not (command.count_0 and command.count_1):
            raise CommandError(Fault.NO_COUNT, f"{command.count_0} and {command.count_1}")
        if command.notify and self.notify_address % COUNT_BYTES:
            raise CommandError(Fault.UNALIGNED, f"the count goes to {self.notify_address:#x}, no "
                               f"multiple of {COUNT_BYTES}")
        if waits:
            return self._has_come(command)
        layouts.check_places(machine, command)
        check_job(machine, command)
        table = self.tables[command.table] if command.table < machine.tables else Table()
        self._load(command, table)
        check_table(command, table)
        self._has_begun = True
        for at in layouts.iterations(command):
            made = results(machine, command, table, at, self._reader(command))
            for number, data in enumerate(made):
                if len(made) > 1 and len(data) > command.c_stride:
                    raise CommandError(Fault.OVERLONG, f"{len(data)} bytes of results in a stride "
                                       f"of {command.c_stride}")
                self._write(at.c + number * command.c_stride, data)
                if self._fences:
                    self._fences.write(self._place, at.c + number * command.c_stride, len(data))
        return True

    @property
    def _place(self) -> int:
        """Of the command in the list that the last doorbell added."""
        return (self.completed - self._list_begin) % _COUNTS

    def _reader(self, command: Command) -> Read:
        """Return what reads the operands of a command."""
        def read(operand: str, address: int, size: int) -> bytes:
            if self._fences:
                self._fences.read(self._place, command, operand, address, size)
            return self._read(address, size)

        return read

    def _has_come(self, command: Command) -> bool:
        """Tell whether the word of a WAIT has come to its sequence number."""
        if command.a % COUNT_BYTES:
            raise CommandError(Fault.UNALIGNED, f"a is {command.a:#x}, no multiple of "
                               f"{COUNT_BYTES}")
        word = int.from_bytes(self._read(command.a, COUNT_BYTES), "little")
        return (word - command.sequence) % _COUNTS < _COUNTS // 2

    def _load(self, command: Command, table: Table) -> None:
        """Load what a command brings for its table."""
        blocks, read = tagged_blocks(command), self._reader(command)
        if command.loads_order:
            table.order = NO_ORDER  # if it cannot be read
            order = order_of(read("order", command.order, command.k * layouts.ORDER_BYTES))
            table.order = order[order < self.machine.k_max]
        if command.loads_tags:
            table.tags = NO_TAGS
            table.tags = tags_of(read("tags", command.tags, -(-blocks // 8)), blocks)

    def _notify(self, command: Command) -> None:
        """Write the count of ended commands, this one included, if the command asks for it."""
        if command.notify:
            ended = (self.completed + 1) % _COUNTS
            self._write(self.notify_address, ended.to_bytes(COUNT_BYTES, "little"))

    def _end(self, command: Command) -> None:
        """Count a command, and interrupt if it asks for it."""
        self.completed = (self.completed + 1) % _COUNTS
        self.interrupts += command.interrupt

    def _note_half_done(self, ahead: int) -> None:
        """Note what a faulty job, and some commands that follow it, may have written."""
        for number in range(min((self.tail - self.completed) % _COUNTS, 1 + ahead)):
            try:
                address = self.address_of(self.completed + number)
                command = self._unpack(self._read(address, BYTES))
                if Operation(command.operation) is Operation.WAIT:
                    if not self._has_come(command):
                        return
                    continue
                check_job(self.machine, command)
            except CommandError:
                return
            self.undefined += layouts.result_places(self.machine, command)

    def _read(self, address: int, size: int) -> bytes:
        self._check_window(address, size)
        try:
            return self.memory.read(address, size)
        except BusError as error:
            raise CommandError(Fault.READ_SLVERR if error.decodes else Fault.READ_DECERR,
                               str(error)) from None

    def _write(self, address: int, data: bytes) -> None:
        self._check_window(address, len(data))
        try:
            self.memory.write(address, data)
            if self.undefined:
                self.undefined = without(self.undefined, address, len(data))
        except BusError as error:
            raise CommandError(Fault.WRITE_SLVERR if error.decodes else Fault.WRITE_DECERR,
                               str(error)) from None

    def _check_window(self, address: int, size: int) -> None:
        first, end = self.window
        if address < first or address + size > end:
            raise CommandError(Fault.OUTSIDE, f"{size} bytes at {address:#x}")


def without(places: list[tuple[int, int]], address: int, size: int) -> list[tuple[int, int]]:
    """Cut some bytes out of places, each an address and a size."""
    left = []
    for first, length in places:
        end = first + length
        before, behind = min(end, address), max(first, address + size)
        left += [(first, before - first)] if before > first else []
        left += [(behind, end - behind)] if behind < end else []
    return left
