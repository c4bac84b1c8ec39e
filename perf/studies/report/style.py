"""Colours, scales and numbers of the pictures; the rest of how they look is `reporting.style`'s."""

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

BLUE, ORANGE, GREEN, PINK, SKY, RED, YELLOW, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#7F7F7F")
"""M. Okabe and K. Ito, "Color Universal Design" (2008), with a grey."""

def significant(value: float) -> str:
    """Write three significant digits, without an exponent up to thousands."""
    return f"{value:#.3g}".rstrip(".") if value < 1000 else f"{value:,.0f}"


def set_log(axes: Axes) -> None:
    """Make both scales logarithmic, with ticks at 1, 2 and 5 and plain numbers."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        axis.set_minor_formatter(NullFormatter())
