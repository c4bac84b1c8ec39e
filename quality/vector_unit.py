"""The small DiT with the machine's vector unit between its GEMMs, beside the same in float64.

Matrix products are float64 here, or of operands in MX, so that what is seen is the vector unit. All
that stands between them is in FP32 and V24 where a part is the machine's, and in float64 elsewhere.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import torch
from diffusers import DiTTransformer2DModel
from numpy.typing import NDArray
from torch import Tensor, nn

import golden
from golden.formats import MXFormat
from golden.torch import fake_quantize
from golden.torch import vector as machine

PARTS = ("norms", "activations", "softmax", "gates")
"""Of the vector unit: norms with modulation; GELU and SiLU; softmax; biases, gates, residuals."""


@dataclass(frozen=True)
class VectorUnit:
    """What computes between GEMMs.

    Attributes
    ----------
    parts : tuple of str
        Which of `PARTS` have the machine's bits; the others are float64.
    operands : MXFormat, optional
        What the operands of the blocks' GEMMs are rounded to. P then is rounded as the softmax
        leaves it: before the division where that is the machine's, after it elsewhere.
    condition, edges : MXFormat, optional
        The same of the layers of timestep and class, adaLN's among them, which have a row for each
        image; and of the first layer and the last one.
    """

    parts: tuple[str, ...] = PARTS
    operands: MXFormat | None = None
    condition: MXFormat | None = None
    edges: MXFormat | None = None

    def product(self, a: Tensor, b: Tensor, place: str = "operands") -> Tensor:
        """Multiply (..., m, k) by (..., k, n), in the format of a place."""
        form = getattr(self, place)
        if form is not None:
            a = fake_quantize(a.float(), form)
            b = fake_quantize(b.transpose(-1, -2).float(), form).transpose(-1, -2)
        return a.double() @ b.double()

    def linear(
        self,
        x: Tensor,
        layer: nn.Module,
        *,
        place: str = "operands",
        factor: float = 1.0,
        offset: Tensor | float = 0.0,
        gate: Tensor | None = None,
        residual: Tensor | None = None,
    ) -> Tensor:
        """Compute a layer, with what the pipe does behind it.

        Weight and bias are multiplied by `factor`, and `offset` is added to the bias, before.
        """
        weight = layer.weight.detach().double().flatten(1).T * factor
        bias = layer.bias.detach().double() * factor + offset
        total = self.product(x, weight, place)
        if "gates" not in self.parts:
            total = total + bias
            total = total if gate is None else total * gate
            return total if residual is None else total + residual
        single = [None if each is None else each.float() for each in (gate, residual)]
        return machine.pipe(total.float(), bias=bias.float(), channel_factor=single[0],
                            residual=single[1]).result  # fmt: skip

    def activation(self, x: Tensor, name: str) -> Tensor:
        """Compute GELU, in its tanh form, or SiLU."""
        if "activations" in self.parts:
            return machine.pipe(x.float(), function=name).result
        x = x.double()
        if name == "silu":
            return nn.functional.silu(x)
        return nn.functional.gelu(x, approximate="tanh")

    def norm(self, x: Tensor, epsilon: float, factor: Tensor, shift: Tensor) -> Tensor:
        """Normalize rows and modulate them."""
        if "norms" in self.parts:
            return machine.layer_norm(x.float(), epsilon, factor=factor.float(),
                                      shift=shift.float()).result  # fmt: skip
        normed = nn.functional.layer_norm(x.double(), x.shape[-1:], eps=epsilon)
        return normed * factor + shift

    def attention(self, scores: Tensor, v: Tensor) -> Tensor:
        """Exponentiate scores in units of log2, and divide behind the product with V."""
        if "softmax" not in self.parts:
            p = torch.softmax(scores.double() * math.log(2), -1)
            return self.product(p, v)
        if self.operands is None:
            p = machine.pipe(scores.float(), function="exp2").result
            total = p.double().sum(-1, keepdim=True).float()
            factor = machine.reciprocal(total)
        else:
            found = machine.softmax(scores.float(), self.operands)
            p, factor = found.p.dequantize(), found.row_factor[..., None]
        return machine.pipe(self.product(p, v).float(), row_factor=factor).result


@torch.no_grad()
def evaluate(
    model: DiTTransformer2DModel,
    unit: VectorUnit,
    images: Tensor,
    timesteps: Tensor,
    labels: Tensor,
) -> Tensor:
    """Evaluate the model once.

    Parameters
    ----------
    model : DiTTransformer2DModel
        Of `quality.model.build_model`, in evaluation mode.
    unit : VectorUnit
    images : Tensor, shape (n, 1, height, width)
    timesteps, labels : Tensor, shape (n,)

    Returns
    -------
    Tensor
        As ``model(images, timesteps, labels).sample``.
    """
    embed, size = model.pos_embed, model.config.patch_size
    side = images.shape[-1] // size
    patches = images.double().unflatten(-1, (side, size)).unflatten(-3, (side, size))
    patches = patches.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
    x = unit.linear(patches, embed.proj, place="edges", residual=embed.pos_embed.double())
    for block in model.transformer_blocks:
        x = _block(block, unit, x, timesteps, labels)
    condition = _condition(model.transformer_blocks[0].norm1.emb, unit, timesteps, labels)
    width = x.shape[-1]
    one = torch.cat([torch.zeros(width), torch.ones(width)])
    both = unit.linear(condition, model.proj_out_1, place="condition", offset=one)
    shift, factor = both[:, None].chunk(2, -1)
    x = unit.norm(x, model.norm_out.eps, factor, shift)
    x = unit.linear(x, model.proj_out_2, place="edges")
    pixels = x.unflatten(1, (side, side)).unflatten(-1, (size, size))
    return pixels.permute(0, 1, 3, 2, 4).reshape(images.shape)


def _condition(embedding: nn.Module, unit: VectorUnit, steps: Tensor, labels: Tensor) -> Tensor:
    """Return SiLU of timestep and class."""
    sinusoids, layers = embedding.time_proj(steps), embedding.timestep_embedder
    hidden = unit.linear(sinusoids, layers.linear_1, place="condition")
    table = embedding.class_embedder.embedding_table.weight.detach()
    total = unit.linear(unit.activation(hidden, "silu"), layers.linear_2, place="condition",
                        residual=table[labels].double())  # fmt: skip
    return unit.activation(total, "silu")


def _block(block: nn.Module, unit: VectorUnit, x: Tensor, steps: Tensor, labels: Tensor) -> Tensor:
    condition, width = _condition(block.norm1.emb, unit, steps, labels), x.shape[-1]
    one = torch.zeros(6, width)
    one[[1, 4]] = 1  # the norms multiply by 1 + scale
    six = unit.linear(condition, block.norm1.linear, place="condition", offset=one.flatten())
    shift, factor, gate, late_shift, late_factor, late_gate = six[:, None].chunk(6, -1)
    normed = unit.norm(x, block.norm1.norm.eps, factor, shift)
    attention = block.attn1
    heads, scale = attention.heads, math.log2(math.e) / math.sqrt(width // attention.heads)
    q, k, v = (
        unit.linear(normed, layer, factor=by).unflatten(-1, (heads, -1)).transpose(1, 2)
        for layer, by in ((attention.to_q, scale), (attention.to_k, 1.0), (attention.to_v, 1.0))
    )
    mixed = unit.attention(unit.product(q, k.transpose(-1, -2)), v)
    mixed = mixed.transpose(1, 2).flatten(2)
    x = unit.linear(mixed, attention.to_out[0], gate=gate, residual=x)
    normed = unit.norm(x, block.norm3.eps, late_factor, late_shift)
    hidden = unit.activation(unit.linear(normed, block.ff.net[0].proj), "gelu")
    return unit.linear(hidden, block.ff.net[2], gate=late_gate, residual=x)


State = tuple[Tensor, Tensor, Tensor]


def states(model: DiTTransformer2DModel, run: Callable[[], object]) -> Iterator[State]:
    """Give the images, timesteps and labels that a run of the sampler evaluates the model at."""
    seen: list[State] = []
    handle = model.register_forward_pre_hook(
        lambda _, given: seen.append(tuple(each.clone() for each in given))
    )
    try:
        run()
    finally:
        handle.remove()
    yield from seen


def decibels(
    model: DiTTransformer2DModel, unit: VectorUnit, steps: list[State], exact: list[Tensor]
) -> NDArray[np.float64]:
    """Compare each evaluation with float64's.

    Parameters
    ----------
    model : DiTTransformer2DModel
    unit : VectorUnit
    steps : list of State
        Of each image two rows: with its label, and behind all of these without.
    exact : list of Tensor
        What float64 makes of them.

    Returns
    -------
    ndarray, shape (steps, images)
        QSNR in dB.
    """
    def of_step(state: State, wanted: Tensor) -> list[float]:
        found = evaluate(model, unit, *state).double()
        count = len(wanted) // 2
        return [golden.qsnr(wanted[image::count].numpy(), found[image::count].numpy())
                for image in range(count)]  # fmt: skip

    return np.array([of_step(state, wanted) for state, wanted in zip(steps, exact, strict=True)])


@contextmanager
def in_its_place(model: DiTTransformer2DModel, unit: VectorUnit) -> Iterator[None]:
    """Let a unit evaluate the model wherever it is called, as in a sampler that runs freely."""
    forward = model.forward
    model.forward = lambda *state: SimpleNamespace(sample=evaluate(model, unit, *state).float())
    try:
        yield
    finally:
        model.forward = forward
