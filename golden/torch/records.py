"""Schemes as JSON and arrays, and back: what a file keeps of a policy."""

from collections.abc import Mapping
from dataclasses import fields
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from golden.formats import MXFormat
from golden.policy import Policy
from golden.torch.meter import Clock
from golden.torch.mx_scheme import MXScheme, Precision, TimestepScheme
from golden.torch.scheme import Scheme


class Writer:
    """Describes schemes in values that JSON knows.

    Attributes
    ----------
    arrays : dict of str to ndarray
        Orders, tags and corrections by number; equal ones, as of q, k and v, are kept once.
    """

    def __init__(self) -> None:
        self.arrays: dict[str, NDArray[np.generic]] = {}
        self._numbers: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def scheme(self, scheme: Scheme) -> dict[str, Any]:
        """Describe a scheme.

        Raises
        ------
        TypeError
            If no machine here computes it.
        """
        if isinstance(scheme, TimestepScheme):
            ranges = [[str(limit), self.scheme(each)] for limit, each in scheme.ranges]
            return {"ranges": ranges}
        if not isinstance(scheme, MXScheme):
            raise TypeError(
                f"{type(scheme).__name__} has no packed weights: only schemes in MX formats can "
                "be saved"
            )
        if type(scheme).activation is not MXScheme.activation:
            raise TypeError(
                f"{type(scheme).__name__} quantizes A in its own way, which a file cannot say: "
                "only MXScheme's can be saved"
            )
        return {
            "a": self._precision(scheme.a),
            "b": self._precision(scheme.b),
            "outliers": self._array(scheme.outliers),
            "correction": self._array(scheme.correction),
        }

    def _precision(self, precision: Precision) -> str | dict[str, Any]:
        if isinstance(precision, MXFormat):
            return precision.name
        return {field.name: self._value(getattr(precision, field.name)) for field in fields(Policy)}

    def _value(self, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return self._array(value)
        if isinstance(value, tuple):
            return [fmt.name for fmt in value]
        # Numbers as text, so that a fraction stays one and an infinity is no invalid JSON.
        return str(value) if isinstance(value, float | Fraction) else value

    def _array(self, value: NDArray[np.generic] | torch.Tensor | None) -> dict[str, str] | None:
        if value is None:
            return None
        array = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value
        key = (array.dtype.str, array.shape, array.tobytes())
        number = self._numbers.setdefault(key, str(len(self._numbers)))
        self.arrays[number] = np.array(array, order="C")  # torch warns of read-only arrays
        return {"array": number}


class Reader:
    """Makes the schemes again that a `Writer` described.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        The writer's.
    clock : Clock
        For schemes that depend on the timestep.
    """

    def __init__(self, arrays: Mapping[str, NDArray[np.generic]], clock: Clock) -> None:
        self._arrays = arrays
        self._clock = clock

    def scheme(self, record: Mapping[str, Any]) -> MXScheme | TimestepScheme:
        """Make a scheme from its description."""
        if "ranges" in record:
            ranges = [(float(limit), self.scheme(each)) for limit, each in record["ranges"]]
            return TimestepScheme(self._clock, ranges)
        correction = self._array(record["correction"])
        return MXScheme(
            self._precision(record["a"]),
            self._precision(record["b"]),
            outliers=self._array(record["outliers"]),
            correction=None if correction is None else torch.from_numpy(correction.copy()),
        )

    def _precision(self, record: str | Mapping[str, Any]) -> Precision | str:
        if isinstance(record, str):
            return record
        values = dict(record)
        text = values["fraction"]
        values["fraction"] = Fraction(text) if "/" in text else float(text)
        if values["threshold"] is not None:
            values["threshold"] = float(values["threshold"])
        for name in ("static_tags", "permutation"):
            values[name] = self._array(values[name])
        return Policy(**values)

    def _array(self, record: Mapping[str, str] | None) -> NDArray[np.generic] | None:
        return None if record is None else self._arrays[record["array"]]
