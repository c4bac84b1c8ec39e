"""The models that are traced: configurations, inputs and sampling, each with its public source."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .model import Sampling

BATCH = 2
"""Classifier-free guidance evaluates an image with its condition and without, together."""

_DIT: Mapping[str, Any] = {
    "num_attention_heads": 16, "attention_head_dim": 72, "in_channels": 4, "out_channels": 8,
    "num_layers": 28, "patch_size": 2, "activation_fn": "gelu-approximate", "attention_bias": True,
    "num_embeds_ada_norm": 1000, "norm_type": "ada_norm_zero", "norm_elementwise_affine": False,
}
_DIT_SOURCE = ("facebookresearch/DiT models.py, DiT_XL_2; "
               "huggingface/diffusers scripts/convert_dit_to_diffusers.py")
_DIT_SAMPLINGS = (
    Sampling(50, "diffusers 0.42.1 DiTPipeline, default; Q-DiT README (Juanerx/Q-DiT)"),
    Sampling(100, "Q-DiT (arXiv 2406.17343), ImageNet evaluation"),
    Sampling(20, "few-step sampling, for comparison with the text-to-image models"),
    Sampling(250, "DiT (arXiv 2212.09748) and facebookresearch/DiT sample.py, default"),
)


@dataclass(frozen=True)
class Encoder:
    """A transformer that encodes text, once per prompt.

    Attributes
    ----------
    layers, width, hidden : int
        Blocks, channels, channels inside the feed-forward.
    projections : int
        Matrices of width x hidden in the feed-forward; 3 where it is gated.
    tokens : int
        Of one prompt.
    """

    layers: int
    width: int
    hidden: int
    projections: int
    tokens: int

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one prompt; attention is as wide as the channels."""
        linear = 4 * self.width**2 + self.projections * self.width * self.hidden
        return self.layers * self.tokens * (linear + 2 * self.tokens * self.width)


@dataclass(frozen=True)
class Configuration:
    """What to build, and what to feed it.

    Attributes
    ----------
    title : str
        For people.
    class_name : str
        In diffusers.
    arguments : mapping
        Of that class.
    source : str
        Where they were published.
    latent : int
        Height and width of the latent image.
    text_tokens : int
        Of one prompt, where there is one.
    samplings : tuple of Sampling
        The most usual first.
    encoders : tuple of Encoder
    decoder_arguments : mapping
        Of diffusers' AutoencoderKL; what the models share is in `DECODER`.
    """

    title: str
    class_name: str
    arguments: Mapping[str, Any]
    source: str
    latent: int
    text_tokens: int
    samplings: tuple[Sampling, ...]
    encoders: tuple[Encoder, ...] = ()
    decoder_arguments: Mapping[str, Any] | None = None


DECODER: Mapping[str, Any] = {
    "block_out_channels": (128, 256, 512, 512), "layers_per_block": 2,
    "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4,
    "latent_channels": 4,
}
"""The autoencoder of Stable Diffusion (stabilityai/sd-vae-ft-mse and sdxl-vae, config.json)."""

UNET: Mapping[str, Any] = {"sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8}
"""Stable Diffusion 1.5's U-Net (runwayml/stable-diffusion-v1-5 unet/config.json).

Not a workload of the machine: its speed on an RTX 3090 has been published.
"""


def _t5(tokens: int) -> Encoder:
    """T5 v1.1 XXL's encoder (google/t5-v1_1-xxl, config.json): 64 heads of 64, gated GELU."""
    return Encoder(layers=24, width=4096, hidden=10240, projections=3, tokens=tokens)


CONFIGURATIONS: dict[str, Configuration] = {
    "dit-256": Configuration(
        "DiT-XL/2 256x256", "DiTTransformer2DModel", {**_DIT, "sample_size": 32}, _DIT_SOURCE,
        latent=32, text_tokens=0, samplings=_DIT_SAMPLINGS),
    "dit-512": Configuration(
        "DiT-XL/2 512x512", "DiTTransformer2DModel", {**_DIT, "sample_size": 64}, _DIT_SOURCE,
        latent=64, text_tokens=0, samplings=_DIT_SAMPLINGS),
    "pixart-1024": Configuration(
        "PixArt-Sigma 1024x1024", "PixArtTransformer2DModel",
        {**_DIT, "cross_attention_dim": 1152, "caption_channels": 4096, "sample_size": 128,
         "norm_type": "ada_norm_single", "norm_eps": 1e-6, "interpolation_scale": 2,
         "use_additional_conditions": False},
        "PixArt-alpha/PixArt-sigma configs/pixart_sigma_config/"
        "PixArt_sigma_xl2_img1024_internalms.py; "
        "huggingface/diffusers scripts/convert_pixart_sigma_to_diffusers.py",
        latent=128, text_tokens=300,
        samplings=(
            Sampling(20, "diffusers 0.42.1 PixArtSigmaPipeline, default, with DPM-Solver"),
            Sampling(50, "for comparison with DiT"),
            Sampling(100, "for comparison with DiT")),
        encoders=(_t5(300),)),
    "sd3-1024": Configuration(
        "Stable Diffusion 3 medium 1024x1024", "SD3Transformer2DModel",
        {"sample_size": 128, "patch_size": 2, "in_channels": 16, "out_channels": 16,
         "num_layers": 24, "num_attention_heads": 24, "attention_head_dim": 64,
         "joint_attention_dim": 4096, "caption_projection_dim": 1536,
         "pooled_projection_dim": 2048, "pos_embed_max_size": 192},
        "stabilityai/stable-diffusion-3-medium-diffusers transformer/config.json; "
        "huggingface/diffusers scripts/convert_sd3_to_diffusers.py",
        # 77 of CLIP, to whose channels those of the two CLIPs are joined, and 256 of T5.
        latent=128, text_tokens=77 + 256,
        samplings=(
            Sampling(28, "diffusers 0.42.1 StableDiffusion3Pipeline, default"),
            Sampling(20, "xDiT docs/performance/sd3.md, the measurements that calibrate the GPU"),
            Sampling(50, "Stability-AI/sd3-ref sd3_infer.py, default"),
            Sampling(100, "for comparison with DiT")),
        encoders=(
            _t5(256),
            # openai/clip-vit-large-patch14 and laion/CLIP-ViT-bigG-14, config.json, text_config.
            Encoder(layers=12, width=768, hidden=3072, projections=2, tokens=77),
            Encoder(layers=32, width=1280, hidden=5120, projections=2, tokens=77)),
        decoder_arguments={"latent_channels": 16, "use_quant_conv": False,
                           "use_post_quant_conv": False}),
}
