"""The three transformers of diffusers in miniature, with random weights.

Widths and numbers of tokens are no multiples of 16 wherever the architecture allows it.
"""

from collections.abc import Callable
from typing import Any

import diffusers
import torch
from torch import nn

Inputs = dict[str, Any]
SAMPLES, TEXT_TOKENS = 3, 7


def dit() -> tuple[nn.Module, Inputs]:
    """Return a DiT with heads of 72 channels and 25 tokens, as in DiT-XL/2 and as never."""
    model = diffusers.DiTTransformer2DModel(
        num_attention_heads=2, attention_head_dim=72, in_channels=4, num_layers=2, sample_size=10,
        num_embeds_ada_norm=10,
    )  # fmt: skip
    return _settled(model, {"class_labels": torch.tensor([1, 2, 10])})


def pixart() -> tuple[nn.Module, Inputs]:
    """Return a PixArt whose second prompt is shorter, so that three of its tokens are masked."""
    model = diffusers.PixArtTransformer2DModel(
        num_attention_heads=2, attention_head_dim=72, in_channels=4, out_channels=8, num_layers=2,
        cross_attention_dim=144, caption_channels=20, sample_size=10, interpolation_scale=1,
        use_additional_conditions=False,
    )  # fmt: skip
    mask = torch.ones(SAMPLES, TEXT_TOKENS)
    mask[1, 4:] = 0
    return _settled(
        model,
        {
            "encoder_hidden_states": _noise(SAMPLES, TEXT_TOKENS, 20),
            "encoder_attention_mask": mask,
            "added_cond_kwargs": {"resolution": None, "aspect_ratio": None},
        },
    )


def sd3() -> tuple[nn.Module, Inputs]:
    """Return an SD3 of 25 + 7 joint tokens, its first layer with a second attention as in 3.5."""
    model = diffusers.SD3Transformer2DModel(
        num_attention_heads=2, attention_head_dim=24, num_layers=3, sample_size=10, in_channels=4,
        out_channels=4, joint_attention_dim=20, caption_projection_dim=48,
        pooled_projection_dim=12, pos_embed_max_size=8, dual_attention_layers=(0,),
        qk_norm="rms_norm",
    )  # fmt: skip
    return _settled(
        model,
        {
            "encoder_hidden_states": _noise(SAMPLES, TEXT_TOKENS, 20),
            "pooled_projections": _noise(SAMPLES, 12),
        },
    )


BUILDERS: dict[str, Callable[[], tuple[nn.Module, Inputs]]] = {
    "dit": dit, "pixart": pixart, "sd3": sd3,
}  # fmt: skip


def cast(inputs: Inputs, dtype: torch.dtype) -> Inputs:
    """Put the numbers of a model's inputs into its dtype."""
    return {
        name: value.to(dtype)
        if isinstance(value, torch.Tensor) and value.is_floating_point()
        else value
        for name, value in inputs.items()
    }


def _settled(model: nn.Module, inputs: Inputs) -> tuple[nn.Module, Inputs]:
    """Draw weights that depend on nothing else, and add what all models are given."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            scale = parameter.shape[-1] ** -0.5 if parameter.dim() > 1 else 0.1
            parameter.normal_(std=scale, generator=generator)
    shared = {"hidden_states": _noise(SAMPLES, 4, 10, 10), "timestep": torch.tensor([7] * SAMPLES)}
    return model.eval(), shared | inputs


def _noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))
