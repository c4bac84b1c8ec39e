"""The models that are fuzzed: emitted machines whose memories hold garbage after every reset.

One of them counts in few bits, so that its counters reach their ends.
"""

import hashlib
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from commands import environment
from hw.contract.config import Config
from hw.contract.counts import COUNT_BITS
from hw.parts.sram import MODULE
from sim_tests.bench import POISONED_SRAM, ROOT
from simulation.build import TOP, Flags, compile_verilog, emitted
from simulation.machines import MATRIX, TINY

NARROW_BITS = 4
"""Width of the narrow counters."""

ALMOST_ALL = (1 << 32) - 20
"""What JOBS_ENDED reads after a reset of the machine with narrow counters."""


@dataclass(frozen=True)
class Counting:
    """How a machine counts.

    Attributes
    ----------
    bits : int
        Of a job's counters.
    first_ended : int
        What JOBS_ENDED reads after a reset.
    """

    bits: int = COUNT_BITS
    first_ended: int = 0


NARROW = "4x4_counters"
MACHINES: dict[str, Config] = MATRIX | {NARROW: TINY}
"""The machines by their names: those of the benches, and the one with narrow counters."""

COUNTING = {NARROW: Counting(NARROW_BITS, ALMOST_ALL)}

_EMIT_NARROW = f"""
import sys
from amaranth.lib import data
from hw.contract import counts
counts.COUNT_BITS = {NARROW_BITS}
for name in ("BEAT_COUNTS", "CONVERSION_COUNTS"):
    members = getattr(counts, name).members
    setattr(counts, name, data.StructLayout(dict.fromkeys(members, {NARROW_BITS})))
assert "hw.accelerator" not in sys.modules  # nobody has taken the wide ones
from hw.accelerator import Accelerator
from hw.parts.emit import emit_files
from sim_tests.fuzz.models import MACHINES
print("\\n".join(emit_files(Accelerator(MACHINES["{NARROW}"]), "{TOP}").values()))
"""


def counting(name: str) -> Counting:
    """Say how a machine counts."""
    return COUNTING.get(name, Counting())


def verilog(name: str) -> str:
    """Give the text of a machine, as it is emitted but for its memory."""
    memory = f"{TOP}_{MODULE}"
    poisoned = POISONED_SRAM.read_text(encoding="utf-8").replace(MODULE, memory)
    return _replaced(_emitted(name), rf"^module {memory}\b.*?^endmodule\n", poisoned)


def digest(name: str) -> str:
    """Digest a machine's text: what a result is of."""
    return hashlib.sha256(verilog(name).encode()).hexdigest()[:16]


def build(name: str) -> Path:
    """Build a machine by its name in `MACHINES`, unless that is done."""
    flags = Flags()
    return compile_verilog(verilog(name), flags=replace(
        flags, verilate=(*flags.verilate, f"-DSRAM_RESET=!{TOP}.aresetn")))


@cache
def _emitted(name: str) -> str:
    if name != NARROW:
        return emitted(MATRIX[name])
    done = subprocess.run([sys.executable, "-c", _EMIT_NARROW], cwd=ROOT, check=True,
                          env=environment.of_simulator(), capture_output=True, text=True,
                          encoding="utf-8")
    register = re.search(r"^ +registers__jobs_ended <= (\w+);$", done.stdout, re.MULTILINE)
    if register is None:
        raise ValueError("the Verilog has no register JOBS_ENDED")
    reset = rf"(if \(rst\) begin\n +{register[1]} = )32'd0;(?=\n +end\n +end\n)"
    return _replaced(done.stdout, reset, rf"\g<1>32'd{ALMOST_ALL};")


def _replaced(text: str, pattern: str, by: str) -> str:
    """Replace the one place where a pattern stands."""
    changed, count = re.subn(pattern, by if r"\g" in by else lambda _: by, text,
                             flags=re.MULTILINE | re.DOTALL)
    if count != 1:
        raise ValueError(f"the Verilog has {count} places like {pattern}, not one")
    return changed
