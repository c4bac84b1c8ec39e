"""Whether a mutant is a mutant at all: Yosys' SAT solver holds it against the good netlist.

Both netlists begin a cycle in the same state, whatever that is, and see the same inputs, for some
cycles; if every register and output is then the same, no bench can tell them apart. That they
differ is no proof that a bench can: the state may be one that no run reaches.
"""

import subprocess
import sys
from pathlib import Path

from sim_tests.mutants.mutant import Mutant

SECONDS = 60
"""For one mutant; one that takes longer counts as not equivalent."""

CYCLES = 3

_RUN = ("import sys; from pyosys import libyosys; "
        "libyosys.run_pass('script ' + sys.argv[1], libyosys.Design())")


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
    lines = [
        f"read_rtlil {good}", f"hierarchy -top {top}",
        f"copy {top} gate", mutant.command("gate"), f"rename {top} gold",
        # The memories' pins become ports: what goes in is compared, what comes out is the same.
        "expose -evert t:*sram_1r1w*", "memory_map", "opt_clean",
        "equiv_make gold gate equiv", "hierarchy -top equiv", "opt_clean",
        "equiv_simple -undef", f"equiv_induct -undef -seq {CYCLES}", "equiv_status -assert"]
    script = good.with_name("equivalence.ys")
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    try:
        done = subprocess.run([sys.executable, "-c", _RUN, str(script)], timeout=SECONDS,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
