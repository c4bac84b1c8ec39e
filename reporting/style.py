"""How all pictures look: colours for colour-blind readers, and equal bytes for equal data."""

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F")
"""M. Okabe and K. Ito, "Color Universal Design" (2008), with a grey."""

MARKERS = "osD^vPX*"

_SETTINGS = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#E3E3E3",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.constrained_layout.use": True,
    "svg.hashsalt": "mixdit",  # else identifiers are random
}


@contextmanager
def styled() -> Iterator[None]:
    """Make figures inside look alike."""
    with matplotlib.rc_context(_SETTINGS):
        yield


def svg(figure: Figure) -> bytes:
    """Render a figure without a date."""
    file = io.BytesIO()
    with styled():
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def data_uri(content: bytes) -> str:
    """Return an SVG image as the address of an ``img`` element."""
    return "data:image/svg+xml;base64," + base64.b64encode(content).decode()
