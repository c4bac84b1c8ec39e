"""What a file says of one MX tensor: a JSON object, read without trust.

Every number is checked here, in Python's integers, before anything is allocated by it.
"""

import json
import math
from dataclasses import asdict, dataclass
from typing import Any, Self

from golden.arguments import whole
from golden.formats import BLOCK_SIZE
from golden.mx import MXTensor, check_axis, mx_format
from golden.units import GRANULARITIES

WHOLE = "tensor"
"""Granularity of a tensor whose blocks all have the same precision."""

_KEYS = {"format", "shape", "axis", "granularity", "tile_rows"}
_MOST_DIMENSIONS = 32
_MOST_ELEMENTS = 1 << 56
"""Of the sizes that are not 0: NumPy must be able to count an array's bytes."""


@dataclass(frozen=True)
class Description:
    """One tensor: its format, its shape, the axis of its blocks, and what a precision bit covers.

    Attributes
    ----------
    format : str
        Name of an MX format, or "mixed".
    shape : tuple of int
    axis : int
        Not negative.
    granularity : str
        "tensor", or one of `golden.units.GRANULARITIES`.
    tile_rows : int or None
        For "channel_block": rows of a token tile.
    """

    format: str
    shape: tuple[int, ...]
    axis: int
    granularity: str
    tile_rows: int | None

    @classmethod
    def of(cls, tensor: MXTensor, granularity: str, tile_rows: int | None) -> Self:
        """Describe a tensor that is to be saved."""
        unit = granularity if tensor.format == "mixed" and tensor.exponent.size else WHOLE
        rows = tile_rows if unit == "channel_block" else None
        return cls(tensor.format_name, tensor.shape, tensor.axis, unit, rows)

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a description.

        Raises
        ------
        ValueError
            If it is no JSON object of these five entries, or one has a value that none can have.
        """
        record = parse(text)
        if not isinstance(record, dict) or record.keys() != _KEYS:
            raise ValueError(f"the description must have the entries {', '.join(sorted(_KEYS))}")
        sizes, granularity = record["shape"], record["granularity"]
        if not isinstance(sizes, list) or len(sizes) > _MOST_DIMENSIONS:
            raise ValueError(f"shape must be a list of at most {_MOST_DIMENSIONS} sizes")
        try:
            shape = tuple(whole(size, "a size in shape", least=0) for size in sizes)
            axis = whole(record["axis"], "axis", least=0)
            rows = record["tile_rows"]
            rows = None if rows is None else whole(rows, "tile_rows", least=1)
        except TypeError as error:
            raise ValueError(str(error)) from None
        if math.prod(max(size, 1) for size in shape) > _MOST_ELEMENTS:
            raise ValueError(f"no memory holds a tensor of shape {shape}")
        if granularity not in (WHOLE, *GRANULARITIES):
            raise ValueError(f"granularity must be one of {', '.join((WHOLE, *GRANULARITIES))}")
        if rows is not None and granularity != "channel_block":
            raise ValueError(f"a granularity of {granularity} has no tile_rows")
        found = record["format"]
        name = found if found == "mixed" else mx_format(found).name
        description = cls(name, shape, check_axis(axis, len(shape)), granularity, rows)
        description.units()
        return description

    @property
    def lead(self) -> tuple[int, ...]:
        """Shape of the tensor's blocks."""
        others = (*self.shape[: self.axis], *self.shape[self.axis + 1 :])
        return (*others, -(-self.shape[self.axis] // BLOCK_SIZE))

    def units(self) -> tuple[int, ...]:
        """Return the shape of the precision bits.

        Raises
        ------
        ValueError
            If the tensor has no such units: heads need three dimensions.
        """
        lead = self.lead
        if self.granularity == WHOLE:
            return ()
        if self.granularity == "block":
            return lead
        if self.granularity == "head":
            if len(lead) < 3:
                raise ValueError(
                    f"heads need a tensor (..., heads, tokens, channels), not shape {self.shape}"
                )
            return lead[:-2]
        rows = lead[-2] if len(lead) > 1 else 1
        return (*lead[:-2], -(-rows // (self.tile_rows or max(rows, 1))), lead[-1])

    def text(self) -> str:
        """Return the description as JSON."""
        return json.dumps(asdict(self))


def is_description(text: str) -> bool:
    """Return whether a text is meant as the description of an MX tensor, right or wrong."""
    try:
        record = parse(text)
    except ValueError:
        return False
    return isinstance(record, dict) and {"format", "shape", "axis", "granularity"} <= record.keys()


def parse(text: str) -> Any:
    """Read JSON without what JSON does not have, or has two meanings for.

    Raises
    ------
    ValueError
        Also for NaN, infinities, an entry that stands twice, numbers of thousands of digits, and
        objects too deep to be read.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError("an entry of a JSON object stands there twice")
        return dict(pairs)

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no number in JSON")

    try:
        return json.loads(text, object_pairs_hook=once, parse_constant=refuse)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
