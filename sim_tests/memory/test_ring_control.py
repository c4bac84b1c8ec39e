"""Running and standing still: never while the bus owes something, never without a reason."""

import cocotb

from hw.memory.ledger import FAULT_BITS
from hw.memory.ring_control import RingControl
from sim_tests import bench, drive

INPUTS = ("enable", "stops", "found", "resume", "skip", "in_reset", "quiet")
OUTPUTS = ("runs", "drops", "lets_in", "skips", "fault", "halts", "is_idle")


class Surroundings:
    """Who works on commands, and the bus: reset from an abort to a release, quiet some time later.

    Attributes
    ----------
    drains : bool
        Aborted, and not released.
    """

    def __init__(self, rng):
        self.rng, self.drains, self.in_reset, self.left = rng, False, False, 0

    def inputs(self, runs, chance):
        """Draw the inputs of a cycle; commands are faulty only while some are carried out."""
        flip = self.rng.random
        quiet = self.left == 0 if self.drains else flip() < 0.5
        return {"stops": int(runs and flip() < chance),
                "found": int(self.rng.integers(1, 1 << FAULT_BITS)),
                "resume": int(flip() < chance), "skip": int(flip() < chance / 2),
                "in_reset": int(self.in_reset), "quiet": int(quiet)}

    def after(self, seen):
        """Follow what the ring says, a cycle later as the registers do."""
        self.left = max(self.left - 1, 0)
        if self.drains and not self.in_reset and self.rng.random() < 0.5:
            self.left = 3  # what was taken in the last cycle before the reset
        self.in_reset = self.drains
        if seen["drops"]:
            self.drains, self.left = True, int(self.rng.integers(0, 20))
        if seen["lets_in"]:
            self.drains = False


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(chance=[0.02, 0.2])
async def stands_still_only_where_it_may(dut, chance):
    await drive.reset(dut)
    rng = drive.rng()
    around, enable, fault, before = Surroundings(rng), 0, 0, None
    counts = dict.fromkeys(("halts", "runs", "stops", "skips", "resumes", "disabled", "cleared"), 0)
    runs = since_release = was_quiet = 0
    for _ in range(drive.amount(4_000, 40_000)):
        if rng.random() < chance / 2:
            enable = 1 - enable
        given = around.inputs(runs, chance) | {"enable": enable}
        for name, value in given.items():
            getattr(dut, name).value = value
        await drive.ticks(dut, 1)
        seen = {name: int(getattr(dut, name).value) for name in OUTPUTS}
        assert seen["fault"] == fault
        # It runs only while enabled, out of reset and without a fault.
        assert not seen["runs"] or (enable and not given["in_reset"] and not fault)
        # What is under way is dropped as soon as one has a fault or the ring is switched off, and
        # not before.
        leaves = before is not None and not before["is_idle"] and not seen["is_idle"]
        assert not seen["drops"] or not around.drains
        assert seen["drops"] or not (seen["runs"] and given["stops"])
        if seen["drops"]:
            assert leaves and (given["stops"] or not enable)
            fault = given["found"] if given["stops"] else 0
            counts["stops" if given["stops"] else "disabled"] += 1
        # It says so when it comes to stand still with a fault, once.
        if before is not None:
            stands = seen["is_idle"] and not before["is_idle"]
            assert before["halts"] == int(stands and bool(seen["fault"]))
        counts["halts"] += seen["halts"]
        # It stands still when the bus has been quiet, and those who work are in reset.
        if seen["is_idle"] and around.drains:
            assert was_quiet and given["in_reset"]
        # Only from there it goes on, without a fault.
        if seen["lets_in"]:
            assert seen["is_idle"] and enable and not fault
        if seen["skips"]:
            assert seen["is_idle"] and given["skip"] and fault
        if seen["is_idle"] and fault and (given["resume"] or given["skip"] or not enable):
            assert seen["skips"] == (given["skip"] and enable)
            counts["skips" if seen["skips"] else "resumes" if enable else "cleared"] += 1
            fault = 0
        counts["runs"] += seen["runs"]
        # From a release it takes as long as the reset does.
        since_release = 0 if seen["lets_in"] else since_release + 1
        runs = seen["runs"]
        if not around.drains and not around.in_reset and enable and since_release > 3 and (
                before is not None and not before["is_idle"] and not seen["is_idle"]):
            assert seen["runs"], "it neither runs nor stands still"
        was_quiet, before = given["quiet"], seen
        around.after(seen)
    assert all(counts.values()), counts


def test_ring_control():
    bench.simulate(RingControl(), __name__, "ring_control")
