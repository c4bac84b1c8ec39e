"""The ways in which a unit is synthesized, as data."""

from dataclasses import dataclass

_CLEAN = "strash; &get -n; &fraig -x; &put; scorr; dc2; dc2; strash;"

AREA_MAPPING = f"{_CLEAN} dch -f; amap -F 20 -A 20; topo"
"""Recover area with structural choices, then map for area alone, XORs recognised."""

SPEED_MAPPING = (
    f"{_CLEAN} &get -n; &dch -f; &nf -D {{period}}; &put; buffer -c; topo; upsize {{period}}; "
    "dnsize {period}; stime -p")
"""Map for delay, buffer fanouts and size the gates, with the library's driving cell and load."""

FASTEST = 1
"""Picoseconds: a period that nothing meets, so that the tools do all they can."""


@dataclass(frozen=True)
class SynthesisRecipe:
    """One way through Yosys and ABC.

    Attributes
    ----------
    name : str
    point : str
        "area" or "speed": which figures it competes for.
    mapping : str
        ABC's commands.
    booth : bool
        Multiplications by ``*`` become Booth multipliers.
    full_adders : bool
        Adders become ripples of the library's full-adder cells, which ABC leaves as they are.
    carry : str
        How other adders' carries are formed: Yosys' ``choices`` by name, or "" for its default.
    """

    name: str
    point: str
    mapping: str
    booth: bool = False
    full_adders: bool = False
    carry: str = ""


AREA_RECIPES = (
    SynthesisRecipe("gates", "area", AREA_MAPPING),
    SynthesisRecipe("gates, Booth", "area", AREA_MAPPING, booth=True),
    SynthesisRecipe("full adders", "area", AREA_MAPPING, full_adders=True),
    SynthesisRecipe("full adders, Booth", "area", AREA_MAPPING, booth=True, full_adders=True),
)

SPEED_RECIPES = (
    SynthesisRecipe("Brent-Kung", "speed", SPEED_MAPPING),
    SynthesisRecipe("Sklansky", "speed", SPEED_MAPPING, carry="sklansky"),
)
