"""Aborts and resets at any moment, by hosts that finish what they send and by hosts that do not."""

from hw.host.carrier import ACTIVATIONS, RESULTS, WEIGHTS
from hw.registers.map import Command, Refusal
from sim_tests.fuzz.rig import Rig
from sim_tests.fuzz.under_way import UnderWay
from simulation.works.random_works import random_work

ABORTS = (Command.ABORT, Command.ABORT | Command.RESUME, Command.ABORT | Command.START,
          Command.ABORT | Command.START | Command.RESUME)
"""One write that aborts; what stands beside it does nothing, and a start is refused."""


class Breaks:
    """Give up all that is under way, and see that nothing is left of it.

    Parameters
    ----------
    rig : Rig
    jobs : UnderWay
    """

    def __init__(self, rig: Rig, jobs: UnderWay):
        self.rig, self.jobs, self.machine = rig, jobs, rig.machine

    def abort(self) -> None:
        """Abort at any moment; what ended before is right, and nothing of the others is left."""
        rig, jobs = self.rig, self.jobs
        rig.pass_time(200 if rig.chance(0.5) else 10)
        stops = rig.chance(0.5)
        if stops:
            self._stop_in_mid_packet()
        self._command(ABORTS[rig.rng.integers(len(ABORTS))])
        self.machine.advance(2)
        self._check_draining()
        if rig.chance(0.5):
            work = random_work(rig.config, rig.rng, 4, 40)
            for name, value in work.job.registers().items():
                rig.write(name, value)
            self._command(Command.START)
        if rig.chance(0.2):
            self._command(ABORTS[rig.rng.integers(len(ABORTS))])
            self._check_draining()
        if rig.chance(0.5):
            self._give_up(goes_on=not stops)
        else:
            self._run_dry()
        ended = jobs.ended()
        jobs.compare_arrived(ended)
        assert jobs.compared >= ended, f"{ended} jobs ended, {jobs.compared} gave their results"
        rig.tally["aborted"] += len(jobs.started) - jobs.compared
        assert jobs.is_between_results(), "the last packet of results does not end"
        self.machine.take(self.machine.available)
        rig.tally["rests of packets"] += self._is_inside()
        self._command(Command.RESUME | (Command.START if rig.chance(0.3) else 0))
        status = rig.read("STATUS")
        assert status & 0xFF == 0 and status >> 8 & 0x1FF == 4, f"STATUS {status:#x} after RESUME"
        rig.stall()
        rig.write("IRQ_PENDING", 0xFFFFFFFF)
        jobs.begin_anew()

    def _command(self, command: Command) -> None:
        """Write to CONTROL while every START must be refused."""
        self.rig.write("CONTROL", int(command))
        if Command.START & command:
            refusal = Refusal(self.rig.read("REFUSAL"))
            assert refusal is Refusal.DRAINING, f"{refusal.name} after {command!r}"
            self.rig.tally["refused"] += 1

    def _check_draining(self) -> None:
        status = self.rig.read("STATUS")
        assert status & 0xFF == 0 and status >> 8 & 0xFF == 0 and status >> 16 & 1, (
            f"STATUS {status:#x} after ABORT")

    def _stop_in_mid_packet(self) -> None:
        """Stop sending, for ever; the machine ends what it has all of, and then waits."""
        rig = self.rig
        for _ in range(200):
            if self._is_inside():
                break
            self.machine.advance(1)
        rig.stop(ACTIVATIONS, WEIGHTS)
        self.machine.stall(RESULTS)
        self.machine.advance(int(rig.rng.integers(1, 4000)))
        self.jobs.look()
        rig.tally["stops"] += 1

    def _is_inside(self) -> bool:
        """Tell whether a packet has begun to be sent and not ended."""
        return any(self.machine.counts(stream).inside for stream in (ACTIVATIONS, WEIGHTS))

    def _give_up(self, goes_on: bool) -> None:
        """Send no further packet; one that is on its way stops in the middle, if it is long.

        Unless it goes on for a while it has stopped already. Its rest comes after the RESUME.
        """
        for stream in (ACTIVATIONS, WEIGHTS):
            self.machine.drop(stream)
        if goes_on:
            self.rig.run_freely()
            self.machine.advance(int(self.rig.rng.integers(4, 12)))  # its first beat is taken
            self.rig.stop(ACTIVATIONS, WEIGHTS)
        self.machine.stall(RESULTS)
        self.machine.advance(16)

    def _run_dry(self) -> None:
        """Let the sources send all that they still have."""
        machine, config = self.machine, self.rig.config
        beats = [counts.waiting_bytes // width + counts.waiting for counts, width in
                 ((machine.counts(ACTIVATIONS), config.act_bytes),
                  (machine.counts(WEIGHTS), config.weight_bytes))]
        longest = config.k_blocks_max * 32  # of a packet that is on its way
        self.rig.run_freely()
        machine.advance(20)
        for _ in range(max(beats) + longest):
            if self.jobs.is_dry():
                return
            machine.advance(1)
        raise AssertionError(f"{beats} beats were not swallowed in as many cycles")

    def reset(self) -> None:
        """Reset at any moment, maybe in mid-packet; all is as after power-up."""
        rig, jobs = self.rig, self.jobs
        rig.pass_time(200)
        jobs.compare_arrived(len(jobs.started))
        rig.tally["resets"] += 1
        rig.tally["reset"] += len(jobs.started) - jobs.compared
        rig.machine.reset(int(rig.rng.integers(1, 6)))
        rig.forget()
        assert rig.ended() == 0, f"JOBS_ENDED counts {rig.ended()} after a reset"
        for name in ("IRQ_PENDING", "REFUSAL", "JOB_FAULTS", "BEATS_LOW", "MX9_UNITS_LOW"):
            assert rig.read(name) == 0, f"{name} after a reset"
        status = rig.read("STATUS")
        assert status == 4 << 8, f"STATUS {status:#x} after a reset"
        rig.stall()
        jobs.begin_anew()
