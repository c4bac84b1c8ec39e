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
    """

    unit: str
    gate_equivalents: float
    reason: str


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
        budgets.append(Budget(name, float(figure), reason))
    return budgets


def complaint(budget: Budget, area: float) -> str | None:
    """Say what is wrong with a measured area, or nothing."""
    change = area / budget.gate_equivalents - 1
    if abs(change) <= TOLERANCE:
        return None
    todo = ("Make it smaller, or raise the budget in the same commit and say why"
            if change > 0 else "Lower the budget, so that the gain is kept")
    return (f"{budget.unit} takes {area:,.0f} GE, {change:+.1%} against its budget of "
            f"{budget.gate_equivalents:,.0f}. {todo}: {BUDGETS.name}.")
