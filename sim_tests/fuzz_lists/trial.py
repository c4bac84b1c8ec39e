"""One list on the compiled machine and on golden's ring, with whatever goes wrong meanwhile."""

from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np

from golden.memory import Fault
from golden.memory.descriptor import ALIGNMENT
from hw.contract.config import PAGE_BYTES, Config
from hw.host.memory.registers import NamedRegisters
from hw.registers.codes import Refusal, RingCommand, RingEvent
from sim_tests.fuzz_lists.draw import draw_list, spoil
from sim_tests.memory.lists import SIZE, Lists
from sim_tests.memory.runs import packed
from simulation.memory_machine import DECERR, SLVERR, Manners, SimulatedMemoryMachine

KINDS = ("undisturbed", "spoilt", "errors", "window", "switched", "silence")
"""What happens to a list: nothing; fields are any; the bus fails; the window ends somewhere; the
ring is switched off and on; the bus falls silent."""

OF_BUS = {Fault.READ_SLVERR, Fault.READ_DECERR, Fault.WRITE_SLVERR, Fault.WRITE_DECERR}

COUNT_BYTES = 4

TIMEOUT = 3000
"""Cycles, more than any memory here takes to answer."""

MOST_CYCLES = 400_000
"""That a list takes."""


def manners_of(rng: np.random.Generator) -> Manners:
    """Draw how a memory behaves, from ideal to hostile."""
    def some(most: int) -> int:
        return int(rng.integers(1, most)) if rng.random() < 0.7 else 1

    channels = ("ar", "r", "aw", "w", "b")
    return Manners(
        read_latency=some(200), write_latency=some(200), jitter=some(60) - 1,
        pause={name: float(rng.choice([0, 0, 0.2, 0.5, 0.9])) for name in channels},
        mixes=bool(rng.integers(2)), data_first=bool(rng.integers(2)),
        seed=int(rng.integers(1 << 32)))


class Trial:
    """Run lists on a machine.

    Parameters
    ----------
    device : SimulatedMemoryMachine
        With `SIZE` bytes.
    config : Config
    rng : Generator

    Attributes
    ----------
    tally : Counter
        What has been done, and the faults that were met.
    """

    def __init__(self, device: SimulatedMemoryMachine, config: Config,
                 rng: np.random.Generator) -> None:
        self._device, self._config, self._rng = device, config, rng
        self._registers = NamedRegisters(device)
        self.tally: Counter[str] = Counter()

    def run(self) -> None:
        """Draw a list and run it.

        Raises
        ------
        AssertionError, MachineError
            When the machine did anything wrong, or hung.
        """
        rng, kind, failing = self._rng, KINDS[self._rng.integers(len(KINDS))], {}
        lists = draw_list(rng, self._config, self._device.base, self._window(kind),
                          has_chains=kind != "window")
        if kind == "spoilt":
            spoil(lists)
        elif kind == "errors":
            failing = {int(rng.integers(80)): int(rng.choice([SLVERR, DECERR]))
                       for _ in range(int(rng.integers(1, 4)))}
        self.try_list(lists, kind, failing)

    def try_list(self, lists: Lists, kind: str, failing: Mapping[int, int]) -> None:
        """Run a list.

        Parameters
        ----------
        lists : Lists
        kind : str
            Of `KINDS`.
        failing : mapping of int to int
            Bursts, by their numbers, and with what they are answered; of "errors".
        """
        self._begin(lists, kind, failing)
        getattr(self, f"_{kind}", lambda lists: None)(lists)
        self._finish(lists, kind)
        self.tally["commands"] += len(lists.commands)
        self.tally[kind] += 1

    def _window(self, kind: str) -> tuple[int, int] | None:
        """Choose where a window begins and ends in the memory, behind the ring."""
        if kind != "window":
            return None
        return 0, int(self._rng.integers(12, SIZE // PAGE_BYTES)) * PAGE_BYTES

    def _begin(self, lists: Lists, kind: str, failing: Mapping[int, int]) -> None:
        """Reset the machine, give it the list, and ring the doorbell."""
        device, registers, ring = self._device, self._registers, lists.ring
        device.forgive()
        device.silence(())
        device.reset()
        device.behave(manners_of(self._rng))
        device.watch(may_leave=kind == "spoilt")
        for number, command in enumerate(lists.commands):
            lists.memory.write(ring.address_of(number), packed(command))
        device.memory[:] = lists.data
        registers.write_long("RING_BASE", ring.base)
        registers.write("RING_SIZE_LOG2", ring.size.bit_length() - 1)
        registers.write_long("NOTIFY_ADDRESS", ring.notify_address)
        registers.write_long("WINDOW_BASE", ring.window[0])
        registers.write_long("WINDOW_END", ring.window[1])
        registers.write("BUS_TIMEOUT", TIMEOUT)
        registers.write("RING_IRQ_ENABLE", RingEvent.STOPPED.value)
        for number, answer in failing.items():
            device.fail(number, answer)
        registers.write("RING_TAIL", len(lists.commands))
        registers.write("RING_ENABLE", 1)

    # What happens meanwhile

    def _switched(self, lists: Lists) -> None:
        """Switch the ring off: the bus falls quiet, and nothing more is asked for; and on again."""
        for _ in range(int(self._rng.integers(1, 4))):
            self._device.advance(int(self._rng.integers(1, 3000)))
            self._registers.write("RING_ENABLE", 0)
            self._until(lambda: bool(self._registers.fields("RING_STATUS")["idle"]))
            self._catch_up(lists, Fault.NONE)
            asked = self._device.asked
            assert not self._device.counts().reads_owed and not self._device.counts().writes_owed
            self._device.advance(int(self._rng.integers(1, 200)))
            assert self._device.asked == asked, "bursts of a ring that is off"
            self._registers.write("RING_ENABLE", 1)

    def _silence(self, lists: Lists) -> None:
        """Let the bus do nothing until the ring has noticed, and answer then."""
        self._device.advance(int(self._rng.integers(1, 3000)))
        channels = ("ar", "r", "aw", "w", "b")
        self._device.silence([str(self._rng.choice(channels))])
        self._device.advance(TIMEOUT + 500)
        timed_out = self._registers.fields("RING_STATUS")["timed_out"]
        self._device.silence(())
        self.tally["timed out"] += timed_out

    # How it ends

    def _finish(self, lists: Lists, kind: str) -> None:
        """Run both rings to their end; wherever they stand, they and all of memory are the same."""
        ring = lists.ring
        while True:
            fault = self._stop(lists)
            if fault is Fault.TIMEOUT or (kind == "errors" and fault in OF_BUS):
                self.tally[fault.name] += 1
                self._catch_up(lists, fault)
                self._order(RingCommand.RESUME)
                continue
            if ring.tail != len(lists.commands):
                ring.doorbell(len(lists.commands))
            self._compare(lists, fault)
            if fault is Fault.NONE:
                return
            self.tally[fault.name] += 1
            self._order(RingCommand.SKIP)
            ring.skip()

    def _catch_up(self, lists: Lists, fault: Fault) -> None:
        """Let golden's ring come to where the machine's stands; it cannot know why."""
        ring = lists.ring
        ring.doorbell(self._registers.read("RING_COMPLETED"))
        ring.tail = len(lists.commands)
        ring.stop(fault)
        if fault is Fault.NONE and self._told(lists) > ring.completed:
            ring.undefined.append((ring.notify_address, COUNT_BYTES))
        self._compare(lists, fault)
        ring.tail = ring.completed
        ring.resume()

    def _told(self, lists: Lists) -> int:
        """Return the count that the machine has written, 0 if it is golden's.

        Switched off, it forgets that a command has ended which was not counted yet, and told so.
        """
        place = slice(lists.ring.notify_address - lists.base, None)
        found, expected = (int.from_bytes(memory[place][:COUNT_BYTES].tobytes(), "little")
                           for memory in (self._device.memory, lists.data))
        if not lists.ring.notify_address or found == expected:
            return 0
        tells = {number + 1 for number, command in enumerate(lists.commands) if command.notify}
        assert found in tells, f"the count {found}, that no command writes"
        return found

    def _stop(self, lists: Lists) -> Fault:
        """Wait until the ring has no more to do, or stands still; return its fault."""
        def stands() -> bool:
            status = registers.fields("RING_STATUS")
            if status["fault"]:
                return bool(status["idle"])
            return registers.read("RING_COMPLETED") == len(lists.commands)

        registers = self._registers
        self._until(stands)
        self._device.wait_for_quiet()
        return Fault(registers.fields("RING_STATUS")["fault"])

    def _until(self, is_so: Callable[[], bool]) -> None:
        end = self._device.cycles + MOST_CYCLES
        while not is_so():
            assert self._device.cycles < end, f"it hangs: {self._device.describe()}"
            self._device.advance(300)

    def _order(self, command: RingCommand) -> None:
        self._registers.write("RING_IRQ_PENDING", RingEvent.STOPPED.value)
        self._registers.write("RING_CONTROL", command.value)

    def _compare(self, lists: Lists, fault: Fault) -> None:
        ring, registers = lists.ring, self._registers
        found = fault.name, registers.read("RING_COMPLETED")
        assert found == (ring.fault.name, ring.completed), f"{found}, golden {ring.fault.name}, " \
            f"{ring.completed}"
        if fault is Fault.REFUSED:
            refusal = Refusal(registers.read("REFUSAL")).name
            assert refusal == ring.refusal, f"{refusal}, golden {ring.refusal}"
        expected = lists.data.copy()
        for address, size in ring.undefined:
            first, end = (max(each - lists.base, 0) for each in (address, address + size))
            expected[first:end] = self._device.memory[first:end]
        wrong = np.flatnonzero(expected != self._device.memory)
        assert not len(wrong), (f"{len(wrong)} bytes differ, first at {wrong[0]:#x} in the memory, "
                                f"at command {ring.completed}, {fault.name}")
        # What may hold anything is read as it stands: by a command that adds to its own results and
        # is tried again, or by one behind a command that was skipped.
        lists.data[:] = expected


def base_of(rng: np.random.Generator, config: Config) -> int:
    """Draw the address of a memory: anywhere, often at an end of all addresses."""
    last = (1 << config.address_bits) - SIZE
    if rng.random() < 0.3:
        return int(rng.choice([0, last]))
    return int(rng.integers(last)) // ALIGNMENT * ALIGNMENT
