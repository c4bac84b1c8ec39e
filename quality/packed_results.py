"""What leaves the array packed: the range of scores, and what static tags of results cost.

A machine with a vector unit makes P where scores drain, without a maximum, as long as scores stay
below a limit; and what leaves packed there has static tags, since its tile is not whole yet.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor, nn

import golden
from golden import Policy
from golden.formats import BLOCK_SIZE, MX6
from golden.torch import QuantizedAttention, Site, fake_quantize, fake_quantize_policy, find_sites
from golden.vector.formats import EXP2_LIMIT as LIMIT
from quality.calibration.observe import observed
from quality.harness.calls import Call

MARGIN = 8
"""Binades that scores of other inputs may be above those that were seen."""

DEEPEST = 120
"""Binades below 1 that the largest P of a row may be: an MX block's exponent reaches 126."""


@dataclass
class ScoreRange:
    """Scores of a head, in units of log2, over all calls.

    Attributes
    ----------
    site : str
    head : int
    least, most : float
    least_row_maximum : float
        Of all rows' largest scores the smallest.
    """

    site: str
    head: int
    least: float = math.inf
    most: float = -math.inf
    least_row_maximum: float = math.inf

    @property
    def way(self) -> str:
        """How P is made of these scores: "drain", "offset" or "maximum"."""
        most = LIMIT - MARGIN
        if self.most < most:
            return "drain" if self.least_row_maximum > -DEEPEST else "maximum"
        return "offset" if self.least_row_maximum - self.offset > -DEEPEST else "maximum"

    @property
    def offset(self) -> float:
        """What is subtracted from the scores so that the largest is below the limit."""
        return max(0.0, self.most - (LIMIT - MARGIN))


@torch.no_grad()
def score_ranges(model: nn.Module, calls: Sequence[Call],
                 progress: Callable[[int], None] = lambda done: None) -> list[ScoreRange]:
    """Measure the scores of every head of every attention.

    Parameters
    ----------
    model : nn.Module
        As `golden.torch.find_sites` knows it.
    calls : sequence of Call
        Evaluations that a sampler asked for.
    progress : callable
        Called with the evaluations that are done.
    """
    found: dict[tuple[str, int], ScoreRange] = {}

    def visit(site: Site, q: Tensor, k: Tensor) -> None:
        if site.kind != "qk":
            return
        scores = q.float() @ k.float().mT * (math.log2(math.e) / math.sqrt(q.shape[-1]))
        by_head = scores.movedim(-3, 0).flatten(1, -3)  # (heads, samples, queries, keys)
        for head, each in enumerate(by_head):
            place = found.setdefault((site.name, head), ScoreRange(site.name, head))
            place.least = min(place.least, float(each.min()))
            place.most = max(place.most, float(each.max()))
            place.least_row_maximum = min(place.least_row_maximum, float(each.amax(-1).min()))

    with observed(model, visit):
        for done, call in enumerate(calls):
            call.repeat(model)
            progress(done + 1)
    return list(found.values())


def packed_sites(model: nn.Module) -> list[Site]:
    """List products whose A leaves the array packed: P·V, and second layers of feed-forwards."""
    return [site for site in find_sites(model) if site.kind == "pv" or (
        site.kind == "linear" and (site.k or 0) > (site.n or 0)
        and {"ff", "ff_context", "mlp"} & set(site.name.split(".")))]


class StaticTags:
    """Which blocks of each site are largest, in the mean over all rows of all calls.

    Parameters
    ----------
    model : nn.Module
    sites : iterable of Site
    calls : sequence of Call
        That the tags are chosen on.
    """

    def __init__(self, model: nn.Module, sites: Iterable[Site], calls: Sequence[Call]):
        wanted, sums = set(sites), {}

        def visit(site: Site, a: Tensor, _: Tensor) -> None:
            if site in wanted:
                largest = _blocks(a).abs().amax(-1).double()
                sums[site] = sums.get(site, 0) + largest.flatten(0, -2).mean(0)

        with torch.no_grad(), observed(model, visit):
            for call in calls:
                call.repeat(model)
        self._sums = sums

    def choose(self, site: Site, units: int) -> np.ndarray:
        """Return the tags of a site: so many of its blocks."""
        tags = np.zeros(len(self._sums[site]), bool)
        tags[torch.topk(self._sums[site], units).indices.cpu().numpy()] = True
        return tags


def _in_mx6(x: Tensor) -> Tensor:
    return fake_quantize(x.float(), MX6)


@contextmanager
def rounding(model: nn.Module, sites: Iterable[Site], quantize: Callable[[Site, Tensor], Tensor],
             *, others: bool = False) -> Iterator[None]:
    """Round A of some products; all other operands of the blocks to MX6, or not at all."""
    chosen, rest = set(sites), _in_mx6 if others else lambda x: x
    blocks = [site for site in find_sites(model) if site in chosen
              or (others and site.name.startswith("transformer_blocks.")
                  and "norm" not in site.name)]
    schemes: dict[str, dict[str, _Rounder | None]] = {}
    with ExitStack() as stack:
        for site in blocks:
            def activation(x: Tensor, site: Site = site) -> Tensor:
                return quantize(site, x) if site in chosen else rest(x)

            if site.kind != "linear":
                pair = schemes.setdefault(site.module, {"qk": None, "pv": None})
                pair[site.kind] = _Rounder(activation, rest)
                continue
            layer = model.get_submodule(site.name)
            hook = layer.register_forward_pre_hook(
                lambda _, inputs, activation=activation: (activation(inputs[0]), *inputs[1:]))
            stack.callback(hook.remove)
            stack.callback(setattr, layer.weight, "data", layer.weight.data)
            layer.weight.data = rest(layer.weight.data)
        for name, pair in schemes.items():
            attention = model.get_submodule(name)
            processor = attention.get_processor()
            stack.callback(attention.set_processor, processor)
            attention.set_processor(QuantizedAttention(processor, **pair))
        yield


@dataclass(frozen=True)
class _Rounder:
    """A scheme of attention that rounds both operands."""

    activation: Callable[[Tensor], Tensor]
    weight: Callable[[Tensor], Tensor]
    correction: None = None


@torch.no_grad()
def tag_losses(model: nn.Module, chosen_on: Sequence[Call], calls: Sequence[Call], *,
               fractions: dict[str, float], tile_rows: int,
               others: bool = False) -> dict[str, list[float]]:
    """Compare tags of packed results that are chosen online, tile by tile, with static ones.

    Parameters
    ----------
    model : nn.Module
    chosen_on, calls : sequence of Call
        That static tags are chosen on, and that all are compared on: others.
    fractions : dict of str to float
        By the kind of site; rounded down to whole blocks, but one at least.
    tile_rows : int
        Rows of a token tile.
    others : bool
        All other operands of the blocks' products are rounded to MX6.

    Returns
    -------
    dict of str to list of float
        QSNR in dB of each evaluation against the model without any rounding: packed results all in
        "mx6", with outliers in MX9 "online", or "static".
    """
    sites = packed_sites(model)
    static = StaticTags(model, sites, chosen_on)

    def units_of(site: Site, x: Tensor) -> tuple[int, int]:
        blocks = -(-x.shape[-1] // BLOCK_SIZE)
        return max(1, int(fractions[site.kind] * blocks)), blocks

    def online(site: Site, x: Tensor) -> Tensor:
        units, blocks = units_of(site, x)
        return fake_quantize_policy(x.float(), Policy(
            fraction=Fraction(units, blocks), scope="tile", tile_rows=tile_rows))

    def tagged(site: Site, x: Tensor) -> Tensor:
        units, _ = units_of(site, x)
        return fake_quantize_policy(x.float(), Policy(
            fraction=1, selection="static", static_tags=static.choose(site, units), scope="tile",
            tile_rows=tile_rows))

    found = {}
    for name, quantize in (("mx6", lambda site, x: _in_mx6(x)), ("online", online),
                           ("static", tagged)):
        with rounding(model, sites, quantize, others=others):
            found[name] = [golden.qsnr(call.output.double().cpu().numpy(),
                                       call.repeat(model).double().cpu().numpy()) for call in calls]
    return found


def _blocks(x: Tensor) -> Tensor:
    """Cut the last axis into blocks, the last one filled up with zeros."""
    tail = -x.shape[-1] % BLOCK_SIZE
    return nn.functional.pad(x.float(), (0, tail)).unflatten(-1, (-1, BLOCK_SIZE))
