"""Area budgets: what the parts of the default machine may cost, with the reason."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

BUDGETS = Path(__file__).parent / "budgets.toml"

TOLERANCE = 0.02
"""How far a figure may lie from its budget."""


@dataclass(frozen=True)
class Budget:
    """What one unit may cost.

    Attributes
    ----------
    unit : str
    gate_equivalents : float
        At the area point with osu018.
    reason : str
        Why it is what it is.
    memory_bits : int, optional
        All in memories with one read and one write port.
    """

    unit: str
    gate_equivalents: float
    reason: str
    memory_bits: int | None = None


def read_budgets(path: Path = BUDGETS) -> list[Budget]:
    """Read the budget file.

    Raises
    ------
    ValueError
        If an entry lacks its figure or its reason.
    """
    budgets = []
    for name, entry in tomllib.loads(path.read_text(encoding="utf-8")).items():
        figure, reason = entry.get("gate_equivalents"), str(entry.get("reason", "")).strip()
        if not isinstance(figure, int | float) or not reason:
            raise ValueError(f"{path.name}: {name} needs gate_equivalents and a reason")
        budgets.append(Budget(name, float(figure), reason, entry.get("memory_bits")))
    return budgets


def complaint(budget: Budget, area: float, memory_bits: int | None = None) -> str | None:
    """Say what is wrong with a measured area, or with bits of memory; or nothing."""
    if None not in (budget.memory_bits, memory_bits) and memory_bits != budget.memory_bits:
        return (f"{budget.unit} has {memory_bits:,} bits of memory, and a budget of "
                f"{budget.memory_bits:,}. Say why in the same commit: {BUDGETS.name}.")
    change = area / budget.gate_equivalents - 1
    if abs(change) <= TOLERANCE:
        return None
    todo = ("Make it smaller, or raise the budget in the same commit and say why"
            if change > 0 else "Lower the budget, so that the gain is kept")
    return (f"{budget.unit} takes {area:,.0f} GE, {change:+.1%} against its budget of "
            f"{budget.gate_equivalents:,.0f}. {todo}: {BUDGETS.name}.")
