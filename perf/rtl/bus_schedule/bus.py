"""What happens on the bus, in its order."""

from perf.rtl.bus_schedule.burst_former import BurstFormer
from perf.rtl.bus_schedule.bus_memory import Latencies
from perf.rtl.bus_schedule.pass_gate import PassGate
from perf.rtl.bus_schedule.read_port import ReadPort
from perf.rtl.bus_schedule.write_port import WritePort
from perf.rtl.schedule.latencies import NOT_YET


class Bus:
    """Decide who comes first; fulfils `perf.rtl.bus_schedule.network.Arbiter`.

    Beside a memory of fixed latencies that is which channel reads next; all else follows. Where the
    memory draws latencies, it draws in the order in which it takes reads and writes, so that all of
    these are put into their order here.

    Parameters
    ----------
    latencies : Latencies
    port : ReadPort
    former : BurstFormer
    writes : WritePort
    gate : PassGate or None
        Where blocks come from two sides, of a machine with a vector unit.
    """

    def __init__(self, latencies: Latencies, port: ReadPort, former: BurstFormer,
                 writes: WritePort, gate: PassGate | None):
        self._port, self._former, self._writes = port, former, writes
        self._gate = gate
        self._draws = latencies.draws() if latencies.jitter else None
        self._now = NOT_YET

    def decide(self) -> bool:
        """Let the earliest thing happen that has not; tell whether there was any."""
        port, gate = self._port, self._gate
        enters = gate.moment if gate else None
        if self._draws is None:
            taken = port.next_taken
            if gate and enters is not None and (taken is None or enters <= taken):
                gate.decide()
                return True
            if taken is None:
                return False
            port.take(taken)
            port.ask()
            port.answer()
            return True
        # Of a read and a write that the memory takes in one cycle, the read draws first.
        moments = [(cycle, order) for order, cycle in enumerate((
            port.next_asked, self._former.patient_until, self._writes.sent, port.next_answer,
            port.next_taken, enters)) if cycle is not None]
        if not moments:
            return False
        cycle, order = min(moments)
        if cycle < self._now:
            raise RuntimeError(f"what happens in cycle {cycle} was known only after something of "
                               f"cycle {self._now} had been decided: a latency may have been drawn "
                               "for another burst")
        self._now = cycle
        match order:
            case 0:
                port.ask(next(self._draws))
            case 1:
                self._former.expire()
            case 2:
                self._writes.answer(next(self._draws))
            case 3:
                port.answer()
            case 4:
                port.take(cycle)
            case _:
                gate.decide()
        return True
