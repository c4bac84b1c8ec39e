"""Whether a mutant is a mutant at all: Yosys' SAT solver holds it against the good netlist.

Both netlists begin a cycle in the same state, whatever that is, and see the same inputs, for a
cycle or some; if every register and output is then the same, no bench can tell them apart: see
`one_cycle` for what may differ all the same. That they differ is no proof that a bench can: the
state may be one that no run reaches.
"""

import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from commands import children
from commands.checkout import ROOT
from commands.outputs import write_if_changed
from hw.parts.sram import MODULE as SRAM
from hw.parts.sram import sram_verilog
from sim_tests.mutants.mutant import Mutant

CYCLE_SECONDS, SECONDS = 120, 20
"""For the proof of one cycle, of a whole machine too, and of some cycles; what takes longer proves
nothing."""

CYCLES = 3

_RUN = ("import sys; from pyosys import libyosys; "
        "libyosys.run_pass('script ' + sys.argv[1], libyosys.Design())")


_ONE_CYCLE = "from sim_tests.mutants.one_cycle import main; main()"


_WITHOUT_NAMES = [
    # Bits that nothing depends on go, and with them what a mutant did to them; of the rest only
    # registers and ports have to agree, not every signal with a name on the way.
    "simplemap", "opt_clean -purge",
    "select -set held t:*ff* %x:+[Q] t:*ff* %d", "rename -hide w:* @held %d"]


def is_equivalent(mutant: Mutant, good: Path, top: str) -> bool:
    """Tell whether a mutant is proven to be no other than the good netlist.

    Parameters
    ----------
    mutant : Mutant
    good : pathlib.Path
        The good netlist in RTLIL.
    top : str
        Name of its module.

    Returns
    -------
    bool
    """
    good = good.resolve()
    return (is_equivalent_in_a_cycle(mutant, good, top)
            or any(_is_proven(mutant, good, top, more) for more in ([], _WITHOUT_NAMES)))


def _memory(good: Path, top: str) -> Path:
    """Write the memory module beside the netlist, for the directions of its pins."""
    file = good.with_name(f"{top}_{SRAM}.v")
    write_if_changed(file, sram_verilog(f"{top}_{SRAM}"))
    return file


def is_equivalent_in_a_cycle(mutant: Mutant, good: Path, top: str) -> bool:
    """Tell whether outputs and next states of one cycle prove it already: mostly they do."""
    asked = {"good": str(good), "top": top, "mutate": mutant.command("gate"),
             "memory": str(_memory(good, top)), "seconds": CYCLE_SECONDS}
    return _succeeds(CYCLE_SECONDS, "-c", _ONE_CYCLE, json.dumps(asked))


def _is_proven(mutant: Mutant, good: Path, top: str, more: Sequence[str]) -> bool:
    """Compare registers and outputs over `CYCLES`, with some more commands for both netlists."""
    lines = [
        f"read_verilog -lib {_memory(good, top)}", f"read_rtlil {good}", f"hierarchy -top {top}",
        f"copy {top} gate", mutant.command("gate"), f"rename {top} gold",
        # The memories' pins become ports: what goes in is compared, what comes out is the same.
        f"expose -evert t:*{SRAM}*", "memory_map", "opt_clean", *more,
        "equiv_make gold gate equiv", "hierarchy -top equiv", "opt_clean",
        "equiv_simple -undef", f"equiv_induct -undef -seq {CYCLES}", "equiv_status -assert"]
    name = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
    script = good.with_name(f"equivalence_{name}.ys")
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    try:
        return _succeeds(SECONDS, "-c", _RUN, str(script))
    finally:
        script.unlink()


def _succeeds(seconds: float, *command: str) -> bool:
    """Run Python for a while; tell whether it ended well."""
    try:
        done = children.run([sys.executable, *command], timeout=seconds, cwd=ROOT,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return False
    if -done.returncode in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        raise RuntimeError("the solver was ended before it had an answer")
    return done.returncode == 0
