"""Figures of others' units, cited and not measured here."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """A cited figure.

    Attributes
    ----------
    name : str
    per_mac : float
        Gate equivalents per multiply-accumulate and cycle at osu018.
    source : str
    """

    name: str
    per_mac: float
    source: str


PEERS = (
    Peer("DaCapo cell, MX6", 1342,
         "ISCA 2024, arXiv 2403.14353: 5,370 GE for 4 MX6 MACs per cycle, its published Verilog"
         " synthesized at osu018"),
    Peer("KU Leuven MX cell, 8 MACs", 715,
         "arXiv 2505.22404, 2511.06313: 5,717 GE for up to 8 MACs per cycle"),
    Peer("ebby-s dot_int, 5-bit, dot only", 206,
         "github.com/ebby-s/MX-for-FPGA, k=16: 3,302 GE, combinational, no accumulator, no"
         " microexponents"),
)
