"""Transformers of diffusers that are given the patches of an image as a sequence, in miniature."""

import diffusers
import torch

from quality.zoo.settle import SAMPLES, TEXT_TOKENS, Built, noise, positions, settled

_FRACTION = torch.full((SAMPLES,), 0.7)
_JOINT = {
    "num_layers": 1, "num_single_layers": 2, "attention_head_dim": 20, "num_attention_heads": 2,
    "joint_attention_dim": 24, "axes_dims_rope": (4, 8, 8),
}  # fmt: skip


def _packed(channels: int = 6, width: int = 24) -> dict[str, object]:
    """Return what FLUX and its kin are given: a list of patches, and where each of them is."""
    return {
        "hidden_states": noise(SAMPLES, 15, channels), "timestep": _FRACTION,
        "encoder_hidden_states": noise(SAMPLES, TEXT_TOKENS, width),
        "img_ids": positions(3, 5), "txt_ids": torch.zeros(TEXT_TOKENS, 3),
    }  # fmt: skip


def flux() -> Built:
    model = diffusers.FluxTransformer2DModel(
        in_channels=6, pooled_projection_dim=12, guidance_embeds=True, **_JOINT
    )
    pooled = {"pooled_projections": noise(SAMPLES, 12), "guidance": torch.full((SAMPLES,), 3.5)}
    return settled(model, _packed() | pooled)


def flux2() -> Built:
    model = diffusers.Flux2Transformer2DModel(
        in_channels=6, timestep_guidance_channels=16,
        **_JOINT | {"axes_dims_rope": (4, 4, 4, 8)},
    )  # fmt: skip
    four = {"img_ids": positions(3, 5, axes=4), "txt_ids": torch.zeros(TEXT_TOKENS, 4)}
    return settled(model, _packed() | four | {"guidance": torch.full((SAMPLES,), 3.5)})


def chroma() -> Built:
    model = diffusers.ChromaTransformer2DModel(
        in_channels=6, approximator_num_channels=8, approximator_hidden_dim=20,
        approximator_layers=1, **_JOINT,
    )  # fmt: skip
    return settled(model, _packed())


def bria() -> Built:
    model = diffusers.BriaTransformer2DModel(
        in_channels=6, **_JOINT | {"axes_dims_rope": [4, 8, 8]}
    )
    return settled(model, _packed())


def bria_fibo() -> Built:
    model = diffusers.BriaFiboTransformer2DModel(
        in_channels=6, text_encoder_dim=20, **_JOINT | {"axes_dims_rope": [4, 8, 8]}
    )
    layers = [noise(SAMPLES, TEXT_TOKENS, 20) for _ in range(3)]
    return settled(model, _packed() | {"text_encoder_layers": layers})


def longcat_image() -> Built:
    model = diffusers.LongCatImageTransformer2DModel(
        in_channels=6, pooled_projection_dim=12, **_JOINT | {"axes_dims_rope": [4, 8, 8]}
    )
    return settled(model, _packed())


def ovis_image() -> Built:
    model = diffusers.OvisImageTransformer2DModel(in_channels=6, out_channels=6, **_JOINT)
    return settled(model, _packed())


def flux3() -> Built:
    model = diffusers.Flux3Transformer2DModel(
        in_channels=6, cond_in_channels=6, timestep_channels=12,
        **_JOINT | {"axes_dims_rope": (4, 4, 4, 8)},
    )  # fmt: skip
    four = {"img_ids": positions(3, 5, axes=4), "txt_ids": torch.zeros(TEXT_TOKENS, 4)}
    return settled(model, _packed() | four)
