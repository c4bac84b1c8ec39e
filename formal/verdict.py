"""A proof with its mutants, and what is said of them."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands import children
from formal.proof import Mutant, Outcome, Proof, prove, refute


@dataclass(frozen=True)
class Verdict:
    """What came of a proof.

    Attributes
    ----------
    proof : Proof
    outcome : Outcome
    missed : list of Mutant
        Mutants that no run was found to refute.
    seconds : float
        Of all, the translation included.
    """

    proof: Proof
    outcome: Outcome
    missed: list[Mutant]
    seconds: float

    @property
    def is_good(self) -> bool:
        """Whether it is proven, and every mutant found out."""
        return self.outcome.is_proven and not self.missed

    def sentence(self) -> str:
        """Say what is wrong; "" if nothing is."""
        found = []
        if not self.outcome.base.holds:
            found.append(f"{', '.join(self.outcome.broken())} fails "
                         f"{len(self.outcome.base.states)} cycles or less after the reset")
        elif not self.outcome.induction.holds:
            found.append(f"{', '.join(self.outcome.broken())} does not follow from the "
                         f"{self.proof.depth} cycles before")
        if self.outcome.unseen:
            found.append(f"{', '.join(self.outcome.unseen)} never happens")
        found += [f"it holds with a mistake planted in {mutant.module}: {mutant.wrong}"
                  for mutant in self.missed]
        return "; ".join(found)

    def record(self) -> dict[str, Any]:
        """Give it as JSON values."""
        proof, outcome = self.proof, self.outcome
        return {
            "name": proof.name, "says": proof.says, "assumes": proof.assumes,
            "bounds": proof.bounds, "checks": outcome.checks, "depth": proof.depth,
            "proven": outcome.is_proven, "base_seconds": round(outcome.base.seconds, 3),
            "induction_seconds": round(outcome.induction.seconds, 3),
            "mutants": len(proof.mutants), "mutants_missed": [each.wrong for each in self.missed],
            "seconds": round(self.seconds, 2)}


def judge(proof: Proof, folder: Path) -> Verdict:
    """Prove, then plant each mutant."""
    start = time.monotonic()
    outcome = prove(proof, folder / proof.name)
    missed = [mutant for number, mutant in enumerate(proof.mutants)
              if refute(proof, mutant, folder / f"{proof.name}_mutant_{number}").holds]
    return Verdict(proof, outcome, missed, time.monotonic() - start)


def judge_all(proofs: Sequence[Proof], folder: Path, jobs: int) -> Iterator[Verdict]:
    """Judge several at once; yield each as it is done."""
    pool = ThreadPoolExecutor(jobs)
    try:
        for done in as_completed([pool.submit(judge, proof, folder) for proof in proofs]):
            yield done.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        children.end_all()
