"""What callers give, turned into the types that the model computes with, or refused.

NumPy's and torch's numbers are welcome where Python's are; torch itself is never imported here.
"""

import math
import operator
import sys
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from numbers import Rational, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

_DECIMAL_PLACES = 1000
"""Digits behind the point that a Decimal may have; as a fraction it takes as many."""


def whole(value: Any, what: str, least: int | None = None) -> int:
    """Return an integer of any type as an int.

    Parameters
    ----------
    value : int, or whatever Python takes for an index
    what : str
        Name of the argument, for the error.
    least : int, optional
        Smallest value allowed.

    Raises
    ------
    TypeError
        If it is a bool, a float (also a whole one), None or another object.
    ValueError
        If it is too small.
    """
    try:
        if is_bool(value):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{what} must be a whole number, not {_shown(value)}") from None
    if least is not None and number < least:
        raise ValueError(f"{what} must be at least {least}, not {number}")
    return number


def real(value: Any, what: str, *, as_decimal: bool = True) -> float | Fraction:
    """Return a number of any type: Rational and Decimal as a Fraction, all others as a float.

    Parameters
    ----------
    value : number
    what : str
        Name of the argument, for the error.
    as_decimal : bool
        Whether a number of a narrow type stands for the shortest decimal that its type reads as
        that number, so that an FP32 0.7 is 0.7, as a share is meant; or for itself, as what was
        measured.

    Returns
    -------
    float or Fraction
        May be infinite or NaN.

    Raises
    ------
    TypeError
        If it is no real number, or an array of several.
    ValueError
        If it is a Decimal of more than 1000 decimal places.
    """
    if is_tensor(value) and value.dim() == 0 and value.dtype.is_floating_point:
        if not as_decimal:
            return float(value.item())
        return _shortest(value.item(), lambda near: bool((value.new_tensor(near) == value).item()))
    if (is_tensor(value) or isinstance(value, np.ndarray)) and value.ndim == 0:
        value = value.item() if is_tensor(value) else value[()]
    if is_bool(value) or not isinstance(value, Real | Decimal | np.generic):
        raise TypeError(f"{what} must be a number, not {_shown(value)}")
    if isinstance(value, Decimal):
        if not value.is_finite():
            return math.nan if value.is_nan() else float(value)
        if value.as_tuple().exponent < -_DECIMAL_PLACES or value.adjusted() > _DECIMAL_PLACES:
            raise ValueError(
                f"{what} must have at most {_DECIMAL_PLACES} digits before and behind the point"
            )
        return Fraction(value)
    if isinstance(value, np.integer):
        return float(int(value))
    if isinstance(value, np.floating):
        return float(str(value)) if as_decimal else float(value)
    if isinstance(value, np.generic) and value.dtype.name == "bfloat16":
        if not as_decimal:
            return float(value)
        return _shortest(float(value), lambda near: bool(type(value)(near) == value))
    if isinstance(value, np.generic):
        raise TypeError(f"{what} must be a number, not {_shown(value)}")
    if isinstance(value, Rational) and not isinstance(value, int):
        return Fraction(value.numerator, value.denominator)
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def array(x: ArrayLike, what: str) -> NDArray[np.generic]:
    """Return an array, masks and subclasses gone, in the byte order of this machine.

    Raises
    ------
    TypeError
        If it is a torch tensor that NumPy cannot see: of bfloat16, on another device, one that
        requires a gradient, or whose elements do not lie as they are.
    ValueError
        If some of its numbers are masked, or rows differ in length.
    """
    if isinstance(x, np.ma.MaskedArray):
        if np.ma.is_masked(x):
            raise ValueError(f"{what} has masked entries; fill them first, with x.filled(...)")
        x = x.data
    if isinstance(x, list | tuple):
        _check_unmasked(x, what)
    try:
        found = np.asarray(x)
    except (TypeError, RuntimeError) as error:
        if not is_tensor(x):
            raise TypeError(f"{what} is no array: {error}") from error
        if x.is_meta:
            raise TypeError(
                f"{what} is a torch tensor on meta, without values: load or compute them first"
            ) from None
        raise TypeError(
            f"{what} is a torch tensor of {_tensor_kind(x)}, and NumPy cannot see it: use "
            f"golden.torch.quantize and its relatives, or give x{_way_to_numpy(x)}"
        ) from None
    except ValueError as error:
        raise ValueError(f"{what} is no array: {error}") from error
    return found if found.dtype.isnative else found.astype(found.dtype.newbyteorder("="))


def integers(x: ArrayLike, what: str, dtype: type = np.int64) -> NDArray[Any]:
    """Return integers of any type in `dtype`, which must hold them all; a copy if need be.

    Raises
    ------
    TypeError
        If the array holds floats (also whole ones), bools or objects.
    ValueError
        If a number is out of range.
    """
    found = array(x, what)
    if found.size and found.dtype.kind not in "iu":
        raise TypeError(f"{what} must hold integers, not {found.dtype.name}")
    limits = np.iinfo(dtype)
    if found.size and not (limits.min <= int(found.min()) and int(found.max()) <= limits.max):
        raise ValueError(f"{what} must hold numbers from {limits.min} to {limits.max}")
    return found.astype(dtype, copy=False)


def flags(x: ArrayLike, what: str) -> NDArray[np.bool_]:
    """Return a copy of an array of bools, also where they are the integers 0 and 1.

    Raises
    ------
    TypeError
        If it holds anything else but integers.
    ValueError
        If it holds other integers.
    """
    found = array(x, what)
    if found.dtype != np.bool_:
        found = integers(found, what)
        if np.any((found != 0) & (found != 1)):
            raise ValueError(f"{what} must hold bools, or 0 and 1")
    return np.array(found, np.bool_)


def channel_order(x: ArrayLike, what: str) -> NDArray[np.intp]:
    """Return an order of channels as an array of integers.

    Raises
    ------
    TypeError
        If it holds no integers.
    ValueError
        If it does not hold every channel number once.
    """
    order = integers(x, what, np.intp)
    if order.ndim != 1 or not np.array_equal(np.sort(order), np.arange(len(order))):
        raise ValueError(f"{what} must hold every channel number once")
    return order


def read_only(x: NDArray[Any]) -> NDArray[Any]:
    """Return a copy that nobody can write to."""
    copy = np.array(x)
    copy.flags.writeable = False
    return copy


def is_bool(value: Any) -> bool:
    """Return whether a value is true or false in Python, NumPy or torch."""
    return isinstance(value, bool | np.bool_) or str(getattr(value, "dtype", "")) in (
        "bool",
        "torch.bool",
    )


def is_tensor(value: Any) -> bool:
    """Return whether a value is a torch tensor; without torch there is none."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _tensor_kind(x: Any) -> str:
    """Describe a torch tensor that NumPy cannot see."""
    kind = f"{str(x.dtype).removeprefix('torch.')} on {x.device}"
    layout = str(x.layout).removeprefix("torch.")
    kind += "" if layout == "strided" else f", laid out as {layout}"
    kind += ", nested" if x.is_nested else ""
    kind += ", whose signs are put off" if x.is_neg() or x.is_conj() else ""
    return kind + (", which requires a gradient" if x.requires_grad else "")


def _way_to_numpy(x: Any) -> str:
    """Return the calls after which NumPy sees the numbers of a torch tensor."""
    way = ".detach()"
    if x.is_nested:
        way += ".to_padded_tensor(0.0)"
    elif str(x.layout) != "torch.strided":
        way += ".to_dense()"
    way += ".dequantize()" if x.is_quantized else ""
    way += ".resolve_conj()" if x.is_conj() else ""
    way += ".resolve_neg()" if x.is_neg() else ""
    return way + ("" if x.is_complex() else ".float()") + ".cpu()"


def _check_unmasked(x: list | tuple, what: str) -> None:
    """Raise a ValueError if an array in a list has masked entries, which NumPy would drop."""
    for each in x:
        if isinstance(each, list | tuple):
            _check_unmasked(each, what)
        elif isinstance(each, np.ma.MaskedArray) and np.ma.is_masked(each):
            raise ValueError(f"{what} has masked entries; fill them first, with x.filled(...)")


def _shortest(value: float, is_same: Callable[[float], bool]) -> float:
    """Return the float of the fewest digits that is still the same in a narrower type."""
    if math.isfinite(value):
        for digits in range(1, 17):
            near = float(f"{value:.{digits}g}")
            if is_same(near):
                return near
    return value


def _shown(value: Any) -> str:
    text = repr(value)
    kind = "" if value is None else f" of type {type(value).__name__}"
    return f"{text if len(text) <= 40 else text[:37] + '...'}{kind}"
