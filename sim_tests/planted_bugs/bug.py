"""A mistake that is planted."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bug:
    """A mistake somebody could make.

    Attributes
    ----------
    name : str
    file : str
        Where it is made.
    right, wrong : str
        What stands there, and what the bug puts in its place.
    test : str
        What has to notice, as pytest takes it.
    """

    name: str
    file: str
    right: str
    wrong: str
    test: str
