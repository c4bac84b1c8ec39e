"""A figure beside its target, and what may be said of it."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A figure beside its target.

    Attributes
    ----------
    name : str
    value, target : float
    unit : str
    at_least : bool
        Whether the target is a lower bound; else it is an upper one.
    where : str
        Of which model or machine the value is.
    interval : tuple of float, optional
        Where the true value is with 95 % confidence, infinite ends where nothing is known; None of
        a value that is counted and not estimated.
    """

    name: str
    value: float
    target: float
    unit: str = ""
    at_least: bool = False
    where: str = ""
    interval: tuple[float, float] | None = None

    @property
    def verdict(self) -> str:
        """Judge the value: "met" or "missed", or "open" where its interval holds the target."""
        low, high = self.interval or (self.value, self.value)
        if self.at_least:
            return "met" if low >= self.target else "missed" if high < self.target else "open"
        return "met" if high <= self.target else "missed" if low > self.target else "open"

    @property
    def met(self) -> bool:
        """Whether the target is reached beyond doubt."""
        return self.verdict == "met"

    @property
    def bound_word(self) -> str:
        """What stands before the target: "at least" or "at most"."""
        return "at least" if self.at_least else "at most"
