"""Pipelines of every known kind with random weights, small enough for a test, on disk."""

from collections.abc import Callable
from pathlib import Path

import diffusers
import torch
from safetensors.torch import save_file

LATENT = 8
"""Height and width of the latents; the autoencoder doubles them twice."""


def tiny_vae(channels: int) -> diffusers.AutoencoderKL:
    """Return an autoencoder of 4 pixels a latent."""
    return diffusers.AutoencoderKL(
        block_out_channels=(8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        latent_channels=channels,
        norm_num_groups=4,
        sample_size=4 * LATENT,
        shift_factor=0.0,
    )


def tiny_dit(folder: Path) -> dict[str, torch.Tensor]:
    """Write a DiT of ImageNet's classes; it takes no embeddings."""
    transformer = diffusers.DiTTransformer2DModel(
        num_attention_heads=2, attention_head_dim=8, in_channels=4, out_channels=8, num_layers=2,
        sample_size=LATENT, patch_size=2, num_embeds_ada_norm=1000,
    )  # fmt: skip
    diffusers.DiTPipeline(transformer, tiny_vae(4), diffusers.DDIMScheduler()).save_pretrained(
        folder
    )
    return {}


def tiny_pixart(folder: Path) -> dict[str, torch.Tensor]:
    """Write a PixArt without text encoder; return embeddings of two prompts."""
    transformer = diffusers.PixArtTransformer2DModel(
        num_attention_heads=2, attention_head_dim=8, in_channels=4, out_channels=8, num_layers=2,
        sample_size=LATENT, patch_size=2, cross_attention_dim=16, caption_channels=12,
        use_additional_conditions=False,
    )  # fmt: skip
    diffusers.PixArtSigmaPipeline(
        tokenizer=None, text_encoder=None, vae=tiny_vae(4), transformer=transformer,
        scheduler=diffusers.DPMSolverMultistepScheduler(),
    ).save_pretrained(folder)  # fmt: skip
    return {
        "prompt_embeds": torch.randn(2, 6, 12),
        "prompt_attention_mask": torch.tensor([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]]),
        "negative_prompt_embeds": torch.randn(1, 6, 12),
        "negative_prompt_attention_mask": torch.tensor([[1, 0, 0, 0, 0, 0]]),
    }


def tiny_sd3(folder: Path) -> dict[str, torch.Tensor]:
    """Write a Stable Diffusion 3 without text encoders; return embeddings of two prompts."""
    transformer = diffusers.SD3Transformer2DModel(
        sample_size=LATENT, patch_size=2, in_channels=4, num_layers=2, attention_head_dim=8,
        num_attention_heads=2, joint_attention_dim=12, caption_projection_dim=16,
        pooled_projection_dim=10, out_channels=4, pos_embed_max_size=LATENT,
    )  # fmt: skip
    parts = ("text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2", "text_encoder_3",
             "tokenizer_3")  # fmt: skip
    diffusers.StableDiffusion3Pipeline(
        transformer=transformer, vae=tiny_vae(4),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(), **dict.fromkeys(parts),
    ).save_pretrained(folder)  # fmt: skip
    return {
        "prompt_embeds": torch.randn(2, 5, 12),
        "pooled_prompt_embeds": torch.randn(2, 10),
        "negative_prompt_embeds": torch.randn(1, 5, 12),
        "negative_pooled_prompt_embeds": torch.randn(1, 10),
    }


TINY: dict[str, Callable[[Path], dict[str, torch.Tensor]]] = {
    "dit": tiny_dit,
    "pixart": tiny_pixart,
    "sd3": tiny_sd3,
}


def write_tiny(kind: str, folder: Path) -> tuple[Path, Path | None]:
    """Write a pipeline of a kind; return its folder and its file of embeddings, if it has one."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        embeddings = TINY[kind](folder / kind)
    if not embeddings:
        return folder / kind, None
    path = folder / f"{kind}-embeddings.safetensors"
    save_file(embeddings, path)
    return folder / kind, path
