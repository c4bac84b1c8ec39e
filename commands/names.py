"""Names in a call: whole or in short; where there is none of a name, the nearest are named."""

from collections.abc import Collection
from difflib import get_close_matches


def resolve(given: str, known: Collection[str], what: str) -> str:
    """Find the name that is meant.

    Parameters
    ----------
    given : str
        One of `known`, such as ``streams/skid_buffer``, or what stands behind its last slash, where
        no other name ends so.
    known : collection of str
    what : str
        That has these names, such as "module".

    Returns
    -------
    str
        Of `known`.

    Raises
    ------
    ValueError
        If none is meant, or several may be, with a sentence that names the nearest.
    """
    if given in known:
        return given
    meant = [name for name in known if _short(name) == given]
    if len(meant) > 1:
        raise ValueError(f"there are several {what}s {given!r}: give {' or '.join(meant)}")
    if meant:
        return meant[0]
    by_short: dict[str, list[str]] = {}
    for name in known:
        by_short.setdefault(_short(name), []).append(name)
    nearest = [name for short in get_close_matches(_short(given), by_short)
               for name in by_short[short]]
    raise ValueError(f"there is no {what} {given!r}; " + (
        f"did you mean {' or '.join(nearest)}?" if nearest else f"there are {', '.join(known)}"))


def _short(name: str) -> str:
    return name.rpartition("/")[2]
