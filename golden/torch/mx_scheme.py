"""The schemes that the accelerator computes: operands in MX formats, the same or by timestep."""

import math
from collections.abc import Hashable, Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from golden.accumulator import DEFAULT_K_MAX
from golden.arguments import flags, real
from golden.floats import widen
from golden.formats import BF16
from golden.gemm import gemm
from golden.mx import MXTensor, mx_format
from golden.policy import Policy
from golden.precision import quantize_weight
from golden.torch.codes import check_floats
from golden.torch.fake import fake_values
from golden.torch.meter import Clock, Meter
from golden.torch.precision import (
    Precision,
    common_order,
    contents,
    matrices,
    natural,
    quantized,
    same,
)
from golden.torch.weight_codes import check_weight_codes, outlier_bits, stored_bits

__all__ = ["MXScheme", "Precision", "TimestepScheme"]

_NEGATIVE_ZERO = -(1 << 31)
"""Pattern of FP32's -0 as an integer of 32 bits."""


class MXScheme:
    """Operands in MX formats; see `Scheme`.

    Parameters
    ----------
    a : MXFormat, str or Policy
        Of A. A policy's token tiles are rows of A as it comes: of one image, or of one head.
    b : MXFormat, str or Policy
        Of B. A policy chooses among B's blocks as among those of an activation (`golden.convert`).
    outliers : array_like of bool, shape (K-blocks,), optional
        Outlier K-blocks of a weight, in the policy's order. They and the others get the formats
        that the policy's `weights` names (`golden.quantize_weight`).
    correction : Tensor, optional
        float32, shape (N,).

    Attributes
    ----------
    is_timed : bool
        Whether it is a part of a `TimestepScheme`, whose meter it has.

    Raises
    ------
    TypeError
        If outliers are no bools.
    ValueError
        If A and B do not order their channels alike, outliers come without a policy, or a
        correction is something else.

    Notes
    -----
    Channels are in the order of a calibrated policy; a plain format follows the other operand.
    """

    def __init__(
        self,
        a: Precision | str,
        b: Precision | str,
        *,
        outliers: ArrayLike | None = None,
        correction: torch.Tensor | None = None,
    ) -> None:
        self.a = a if isinstance(a, Policy) else mx_format(a)
        self.b = b if isinstance(b, Policy) else mx_format(b)
        self.outliers = None if outliers is None else flags(outliers, "outliers")
        self.correction = correction
        self.meter = Meter()
        self.is_timed = False
        if correction is not None and (
            not isinstance(correction, torch.Tensor)
            or correction.dim() != 1
            or correction.dtype != torch.float32
        ):
            raise ValueError("a correction is a tensor of float32 with one number per output")
        if outliers is not None and not isinstance(self.b, Policy):
            raise ValueError(
                "outliers need a policy as b, whose weights are the formats of ordinary and "
                "outlier K-blocks"
            )
        self.order = common_order(self.a, self.b)
        self._a, self._b = natural(self.a), natural(self.b)
        self._order_tensor: torch.Tensor | None = None
        order = None if self.order is None else self.order.tobytes()
        self._key = (contents(self._a), order)

    @property
    def activation_key(self) -> Hashable:
        """See `Scheme`: what A becomes depends on its precision and on the order."""
        return self._key

    def activation(self, a: torch.Tensor, *, reuse: bool = False) -> torch.Tensor:
        """Return the values of A; see `Scheme.activation`.

        Parameters
        ----------
        a : Tensor, shape (..., M, K)
        reuse : bool
            Whether they may be written into the memory of `a`, which nobody reads again.
        """
        values, bits = fake_values(self._in_order(a), self._a, reuse=reuse)
        self.meter.add_activation(a.numel(), bits)
        return values

    def weight(self, b: torch.Tensor) -> torch.Tensor:
        """Return the values of B; see `Scheme.weight`."""
        if self.outliers is not None:
            self.meter.add_weight(b.numel(), outlier_bits(self.outliers, self.b) * b.numel())
            return _decoded(self.codes(b)).to(b.device)
        values, bits = fake_values(self._in_order(b), self._b)
        self.meter.add_weight(b.numel(), bits)
        return values

    def codes(self, b: torch.Tensor) -> MXTensor:
        """Return B as the machine holds it: (..., N, K), blocked along the last axis."""
        wide = self._on_host(b)
        if self.outliers is None:
            return quantized(wide, self._b)
        return quantize_weight(wide.T, self.outliers, self._b).transpose()

    def take_codes(self, codes: MXTensor) -> torch.Tensor:
        """Count a weight (N, K) that this scheme quantized once and whose codes were kept.

        Returns
        -------
        Tensor of float32, shape (N, K)
            What `weight` gave, on the host.

        Raises
        ------
        ValueError
            If this scheme makes no such codes.
        """
        check_weight_codes(codes, self._b, self.outliers)
        bits = stored_bits(codes, self._b, self.outliers)
        self.meter.add_weight(codes.shape[0] * codes.shape[1], bits)
        return _decoded(codes)

    def exact(self, a: torch.Tensor, b: torch.Tensor | MXTensor) -> torch.Tensor:
        """Return the bits of `golden.gemm`, computed on the host, on the device of A.

        Parameters
        ----------
        a : Tensor, shape (..., M, K)
        b : Tensor or MXTensor, shape (N, K) or (..., N, K)
            As an MXTensor, what `codes` gave. Its other dimensions are those of A: nothing is
            broadcast. A K beyond `golden.accumulator.DEFAULT_K_MAX` is that of a machine with
            ``k_max=K``.

        Raises
        ------
        ValueError
            If the shapes do not fit.
        """
        a = check_floats(a)
        b = b if isinstance(b, MXTensor) else check_floats(b)
        lead = tuple(b.shape[:-2])
        if b.shape[-1] != a.shape[-1] or (lead and lead != tuple(a.shape[:-2])):
            raise ValueError(
                f"A of shape {tuple(a.shape)} and B of shape {tuple(b.shape)} do not multiply: "
                "K, and the dimensions before the last two, must be the same"
            )
        k_max = max(DEFAULT_K_MAX, a.shape[-1])
        if 0 in a.shape[:-1] or 0 in b.shape[:-1]:
            return a.new_zeros(*a.shape[:-1], b.shape[-2], dtype=torch.float32)
        rows = quantized(self._on_host(a), self._a)
        columns = b if isinstance(b, MXTensor) else self.codes(b)
        if len(columns.shape) == 2:
            (left,), (right,) = matrices(rows, 1), matrices(columns, 1)
            product = gemm(left, right.transpose(), k_max=k_max).reshape(*a.shape[:-1], -1)
        else:
            count = int(np.prod(a.shape[:-2]))
            pairs = zip(matrices(rows, count), matrices(columns, count), strict=True)
            products = [gemm(left, right.transpose(), k_max=k_max) for left, right in pairs]
            product = np.stack(products).reshape(*a.shape[:-1], -1)
        return torch.from_numpy(product).to(a.device)

    def _in_order(self, x: torch.Tensor) -> torch.Tensor:
        x = check_floats(x)
        if self.order is None:
            return x
        self._check_channels(x)
        order = self._order_tensor
        if order is None or order.device != x.device:
            with torch.inference_mode(False):  # a pass with gradients may be next
                order = self._order_tensor = torch.from_numpy(self.order).to(x.device)
        # Of a matrix this is ten times as fast as of a tensor with more dimensions.
        return x.reshape(-1, x.shape[-1]).index_select(-1, order).view(x.shape)

    def _on_host(self, x: torch.Tensor) -> NDArray[np.float32]:
        x = check_floats(x).detach().cpu()
        if x.dtype == torch.bfloat16:
            wide = widen(x.view(torch.int16).numpy().view(np.uint16), BF16)
        else:
            wide = widen(x.numpy())
        if self.order is None:
            return wide
        self._check_channels(x)
        return wide[..., self.order]

    def _check_channels(self, x: torch.Tensor) -> None:
        if x.shape[-1] != len(self.order):
            raise ValueError(
                f"the permutation orders {len(self.order)} channels, but there are {x.shape[-1]}"
            )


def _decoded(codes: MXTensor) -> torch.Tensor:
    """Return the values of codes as `fake_values` gives them: zeros have no sign."""
    bits = torch.from_numpy(codes.dequantize()).view(torch.int32)
    return bits.masked_fill_(bits == _NEGATIVE_ZERO, 0).view(torch.float32)


class TimestepScheme:
    """Another precision in each range of timesteps, with one weight and one order for all.

    The machine's memory holds one copy of a weight, so of a linear layer only A's precision may
    change; in attention B's may as well.

    Parameters
    ----------
    clock : Clock
        Says the timestep; see `golden.torch.quantize_`.
    ranges : sequence of (float, MXScheme)
        A scheme is used below its limit and from the limit before on. Limits rise, the last may be
        ``math.inf``. From now on each counts in `meter`, so it can be in no other TimestepScheme.

    Raises
    ------
    TypeError
        If a limit is no number, or what it limits is no MXScheme.
    ValueError
        If limits do not rise, one is NaN, orders differ, or a scheme is in another TimestepScheme.
    """

    def __init__(self, clock: Clock, ranges: Sequence[tuple[float, MXScheme]]) -> None:
        self.clock = clock
        self.ranges = tuple(
            (float(real(limit, "a limit of timesteps")), scheme) for limit, scheme in ranges
        )
        self.meter = Meter()
        limits = [limit for limit, _ in self.ranges]
        if not limits or not all(a < b for a, b in pairwise([-math.inf, *limits])):
            raise ValueError(f"ranges of timesteps need limits that rise, not {limits}")
        first = self.ranges[0][1]
        for _, scheme in self.ranges:
            if not isinstance(scheme, MXScheme):
                raise TypeError(f"a range has an MXScheme, not a {type(scheme).__name__}")
            if scheme.is_timed:
                raise ValueError(
                    "an MXScheme cannot count for two TimestepSchemes: make one for each"
                )
            if not same(scheme.order, first.order):
                raise ValueError("all ranges must order channels alike: there is one weight")
        for _, scheme in self.ranges:
            scheme.meter, scheme.is_timed = self.meter, True

    @property
    def current(self) -> MXScheme:
        """The scheme of the clock's timestep."""
        timestep = self.clock.timestep
        for limit, scheme in self.ranges:
            if timestep < limit:
                return scheme
        raise ValueError(
            f"no range has the timestep {timestep}: give the model's clock to "
            "quantize_, and a last range up to math.inf"
        )

    @property
    def correction(self) -> torch.Tensor | None:
        """The correction of the present range."""
        return self.current.correction

    @property
    def activation_key(self) -> Hashable:
        """The key of the present range."""
        return self.current.activation_key

    def activation(self, a: torch.Tensor, *, reuse: bool = False) -> torch.Tensor:
        """Return the values of A in the present range; see `MXScheme.activation`."""
        return self.current.activation(a, reuse=reuse)

    def weight(self, b: torch.Tensor) -> torch.Tensor:
        """Return the values of B in the present range."""
        return self.current.weight(b)

    def codes(self, b: torch.Tensor) -> MXTensor:
        """Return the one weight of all ranges.

        Raises
        ------
        ValueError
            If the ranges make different weights.
        """
        return self._of_weight().codes(b)

    def take_codes(self, codes: MXTensor) -> torch.Tensor:
        """Count a weight whose codes were kept; see `MXScheme.take_codes`."""
        return self._of_weight().take_codes(codes)

    def _of_weight(self) -> MXScheme:
        """Return a range's scheme, if all of them make one weight."""
        first = self.ranges[0][1]
        for _, scheme in self.ranges:
            alike = contents(scheme._b) == contents(first._b)
            if not alike or not same(scheme.outliers, first.outliers):
                raise ValueError(
                    "a stored weight cannot change with the timestep: give every range the same "
                    "b and outliers"
                )
        return first

    def exact(self, a: torch.Tensor, b: torch.Tensor | MXTensor) -> torch.Tensor:
        """Return the bits of `golden.gemm` in the present range."""
        return self.current.exact(a, b)
