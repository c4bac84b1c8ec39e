"""Policies that need no calibration: one format for everything, and MixDiT's two shares.

A policy of a model is any function that gives a `Scheme` to a `Site`, or None to leave it alone.
"""

from collections.abc import Callable

from golden.formats import MX6, MXFormat
from golden.mx import mx_format
from golden.policy import Policy
from golden.torch.mx_scheme import MXScheme
from golden.torch.scheme import Scheme
from golden.torch.site import Site

ModelPolicy = Callable[[Site], Scheme | None]


def uniform(fmt: MXFormat | str) -> ModelPolicy:
    """Give one format to both operands of every GEMM.

    Parameters
    ----------
    fmt : MXFormat or str
        ``"mx9"``, ``"mx6"`` or ``"mx4"``, in any case.

    Raises
    ------
    ValueError
        If there is no such format.
    """
    fmt = mx_format(fmt.upper() if isinstance(fmt, str) else fmt)
    return lambda site: MXScheme(fmt, fmt)


def mixdit(
    linear: float = 0.05,
    attention: float = 0.20,
    tile_rows: int | None = 8,
    scope: str = "tensor",
) -> ModelPolicy:
    """Give MX9 to the largest activations and MX6 to the others, in natural channel order.

    The shares are those of MixDiT: channels in linear layers, heads in attention (`golden.Policy`).
    Outliers are found online, by magnitude, so a weight does not know them and is MX6 throughout.

    Parameters
    ----------
    linear : float
        Share of the 16-channel blocks of a linear layer's input.
    attention : float
        Share of the heads of Q, K, V and P, counted over all samples of a batch together: a fifth
        of the four heads of one sample is none.
    tile_rows : int or None
        Tokens that share a tag, in linear layers; None for all tokens.
    scope : {"tensor", "tile"}
        Whether a linear layer's share is counted over all token tiles together or in each. In each
        it is rounded down, to none where K has few blocks.

    Raises
    ------
    ValueError
        If a share is not from 0 to 1, or a choice does not exist.
    """
    channels = Policy(linear, tile_rows=tile_rows, scope=scope)
    heads = Policy(attention, granularity="head")

    def scheme(site: Site) -> MXScheme:
        return MXScheme(channels, MX6) if site.kind == "linear" else MXScheme(heads, heads)

    return scheme
