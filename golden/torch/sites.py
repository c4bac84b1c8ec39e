"""The GEMMs of a model that a policy may quantize: linear layers, and attention's two products.

Names are the model's names of the layers; the two products of an attention module get ``.qk`` and
``.pv`` after its name, as in the workloads of the performance model.
"""

import warnings
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase

from torch import nn

from golden.torch.scheme import Scheme
from golden.torch.site import NotQuantized, Site
from golden.torch.survey import Part, survey

_OF_SCHEMES = ("weight", "meter")
"""Of what a `Scheme` has, what nothing else is likely to have."""

_GIVEN_NONE = "is left in floating point by the policy, or by exclude"


def find_sites(
    model: nn.Module, include: Sequence[str] = (), exclude: Sequence[str] = ()
) -> list[Site]:
    """List every GEMM of a model that is meant to be quantized, in the order of its modules.

    In a transformer of diffusers these are the linear layers and the attention inside of its
    blocks. What makes embeddings, adaptive normalisation and the final projection is left out; it
    works once per sample instead of once per token, or at the edges (`golden.torch.blocks` has the
    rule). In any other module, all its linear layers are meant. What cannot be quantized is not in
    the list; `find_unquantized` has it.

    Parameters
    ----------
    model : nn.Module
    include : sequence of str
        Names, or patterns such as ``"*.norm1.linear"``, of further sites.
    exclude : sequence of str
        Names, or patterns such as ``"*.pv"``, of sites to leave out, also of those in `include`.

    Raises
    ------
    ValueError
        If there is nothing to quantize, a pattern fits nothing in the model, or all that a pattern
        of `include` fits cannot be quantized.
    TypeError
        If `include` or `exclude` is no sequence of str.
    """
    return [part.site for part in _meant(model, include, exclude) if part.obstacle is None]


def find_unquantized(model: nn.Module, sites: Iterable[Site] = ()) -> tuple[NotQuantized, ...]:
    """List all that multiplies in a floating-point model and is not among some sites.

    What is found are modules: linear layers, attention, convolutions, recurrent layers. A product
    with a bare parameter is not.

    Parameters
    ----------
    model : nn.Module
    sites : iterable of Site
        What is, or will be, quantized.
    """
    names = {site.name for site in sites}
    left = [part for part in survey(model) if part.name not in names]
    return tuple(NotQuantized(part.name, _reason(part)) for part in left)


def _reason(part: Part) -> str:
    return part.obstacle.reason if part.obstacle else part.against or _GIVEN_NONE


def ask(
    policy: Callable[[Site], Scheme | None],
    model: nn.Module,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> dict[Site, Scheme]:
    """Ask a policy about all that is meant to be quantized, also about what cannot be.

    Returns
    -------
    dict of Site to Scheme
        Of the sites that the policy gives a scheme, and that can be quantized.

    Raises
    ------
    ValueError
        As `find_sites`, or if the policy gives a scheme to something that cannot be quantized, but
        could be after a call that changes no result.

    TypeError
        If the policy is no function, or gives something else than schemes.

    Warns
    -----
    UserWarning
        If the policy gives a scheme to something that cannot be quantized at all.
    """
    if not callable(policy):
        raise TypeError(
            "the policy of a model is a function that gives each site a scheme, such as "
            f"golden.torch.uniform('mx6') or golden.torch.mixdit(), not {policy!r}"
        )
    parts = _meant(model, include, exclude)
    found = {part.site: policy(part.site) for part in parts if part.obstacle is None}
    for site, scheme in found.items():
        if scheme is not None and not all(hasattr(scheme, name) for name in _OF_SCHEMES):
            raise TypeError(
                f"the policy gives {scheme!r} to {site.name}: it must be None or a Scheme, such as "
                "golden.torch.MXScheme('mx6', 'mx6')"
            )
    missed = [part for part in parts if part.obstacle and _would_quantize(policy, part)]
    for part in missed:
        if part.obstacle.remedy:
            raise ValueError(
                f"{part.site.module} {part.obstacle.reason}: call {part.obstacle.remedy}, or leave "
                "it out with exclude"
            )
    if missed:
        first = missed[0]
        warnings.warn(
            f"{len(missed)} products that the policy asks for stay in floating point; for example, "
            f"{first.name} {first.obstacle.reason}. The model's unquantized_sites lists all; "
            "exclude leaves them out without a warning",
            stacklevel=3,
        )
    return {site: scheme for site, scheme in found.items() if scheme is not None}


def _would_quantize(policy: Callable[[Site], Scheme | None], part: Part) -> bool:
    if part.site is None:
        return False
    try:
        return policy(part.site) is not None
    except Exception:  # a policy that was made for other sites does not ask for this one
        return False


def _meant(model: nn.Module, include: Sequence[str], exclude: Sequence[str]) -> list[Part]:
    """Return what a policy is asked about: at least one part can be quantized."""
    parts = survey(model)
    _check_patterns("include", include, parts)
    _check_patterns("exclude", exclude, parts)
    for pattern in include:
        fitting = [part for part in parts if fnmatchcase(part.name, pattern)]
        if all(part.obstacle for part in fitting):
            part = fitting[0]
            raise ValueError(
                f"include names {pattern!r}, but {part.name} cannot be quantized: it "
                f"{part.obstacle.reason}"
            )

    def is_meant(part: Part) -> bool:
        wanted = part.against is None or _fits(part, include)
        return wanted and not _fits(part, exclude)

    meant = [part for part in parts if is_meant(part)]
    if any(part.obstacle is None for part in meant):
        return meant
    kind = type(model).__name__
    if exclude and any(part.obstacle is None and part.against is None for part in parts):
        raise ValueError(f"exclude leaves nothing of {kind} to quantize")
    why = "".join(f"; {part.name} {part.obstacle.reason}" for part in meant[:1] if part.obstacle)
    raise ValueError(f"{kind} has no linear layer and no attention to quantize{why}")


def _fits(part: Part, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(part.name, pattern) for pattern in patterns)


def _check_patterns(argument: str, patterns: Sequence[str], parts: Sequence[Part]) -> None:
    if isinstance(patterns, str) or not all(isinstance(each, str) for each in patterns):
        raise TypeError(f"{argument} must be a list of names or patterns, not {patterns!r}")
    for pattern in patterns:
        if not any(fnmatchcase(part.name, pattern) for part in parts):
            raise ValueError(
                f"no linear layer of the model is called {pattern!r}, and no product of its "
                f"attention: {argument} names it"
            )
