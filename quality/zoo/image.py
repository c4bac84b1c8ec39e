"""Transformers of diffusers that make images, in miniature.

Widths, numbers of tokens and of channels are no multiples of 16 wherever the architecture allows.
"""

import diffusers
import torch

from quality.zoo.settle import SAMPLES, TEXT_TOKENS, Built, noise, settled

_STEP = torch.full((SAMPLES,), 7)
_FRACTION = torch.full((SAMPLES,), 0.7)


def dit() -> Built:
    model = diffusers.DiTTransformer2DModel(
        num_attention_heads=2, attention_head_dim=72, in_channels=4, num_layers=2, sample_size=10,
        num_embeds_ada_norm=10,
    )  # fmt: skip
    inputs = {"hidden_states": noise(SAMPLES, 4, 10, 10), "timestep": _STEP}
    return settled(model, inputs | {"class_labels": torch.arange(1, 1 + SAMPLES)})


def pixart() -> Built:
    model = diffusers.PixArtTransformer2DModel(
        num_attention_heads=2, attention_head_dim=20, in_channels=4, num_layers=2, sample_size=10,
        cross_attention_dim=40, caption_channels=20, use_additional_conditions=False,
    )  # fmt: skip
    mask = torch.ones(SAMPLES, TEXT_TOKENS)
    mask[1, 4:] = 0
    return settled(model, {
        "hidden_states": noise(SAMPLES, 4, 10, 10), "timestep": _STEP,
        "encoder_hidden_states": noise(SAMPLES, TEXT_TOKENS, 20), "encoder_attention_mask": mask,
        "added_cond_kwargs": {"resolution": None, "aspect_ratio": None},
    })  # fmt: skip


def sd3() -> Built:
    return _sd3()


def sd35() -> Built:
    return _sd3(qk_norm="rms_norm", dual_attention_layers=(0,))


def _sd3(**options: object) -> Built:
    model = diffusers.SD3Transformer2DModel(
        num_attention_heads=2, attention_head_dim=24, num_layers=2, sample_size=10, in_channels=4,
        out_channels=4, joint_attention_dim=20, caption_projection_dim=48,
        pooled_projection_dim=12, pos_embed_max_size=8, **options,
    )  # fmt: skip
    return settled(model, {
        "hidden_states": noise(SAMPLES, 4, 10, 10), "timestep": _STEP,
        "encoder_hidden_states": noise(SAMPLES, TEXT_TOKENS, 20),
        "pooled_projections": noise(SAMPLES, 12),
    })  # fmt: skip


def qwen_image() -> Built:
    model = diffusers.QwenImageTransformer2DModel(
        in_channels=8, out_channels=2, num_layers=2, attention_head_dim=20, num_attention_heads=2,
        joint_attention_dim=24, axes_dims_rope=(4, 8, 8),
    )  # fmt: skip
    mask = torch.ones(SAMPLES, TEXT_TOKENS, dtype=torch.bool)
    mask[1, 4:] = False
    return settled(model, {
        "hidden_states": noise(SAMPLES, 15, 8), "timestep": _FRACTION,
        "encoder_hidden_states": noise(SAMPLES, TEXT_TOKENS, 24),
        "encoder_hidden_states_mask": mask, "img_shapes": [[(1, 3, 5)]] * SAMPLES,
    })  # fmt: skip


def sana() -> Built:
    model = diffusers.SanaTransformer2DModel(
        in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=20, num_layers=2,
        num_cross_attention_heads=2, cross_attention_head_dim=20, cross_attention_dim=40,
        caption_channels=24, sample_size=10,
    )  # fmt: skip
    return settled(model, {
        "hidden_states": noise(SAMPLES, 4, 5, 5), "timestep": _STEP,
        "encoder_hidden_states": noise(SAMPLES, TEXT_TOKENS, 24),
    })  # fmt: skip


def hunyuan_dit() -> Built:
    model = diffusers.HunyuanDiT2DModel(
        num_attention_heads=2, attention_head_dim=20, in_channels=4, patch_size=2, sample_size=8,
        hidden_size=40, num_layers=4, cross_attention_dim=20, cross_attention_dim_t5=24,
        pooled_projection_dim=16, text_len=TEXT_TOKENS, text_len_t5=5,
        use_style_cond_and_image_meta_size=False,
    )  # fmt: skip
    return settled(model, {
        "hidden_states": noise(SAMPLES, 4, 8, 8), "timestep": _STEP.float(),
        "encoder_hidden_states": noise(SAMPLES, TEXT_TOKENS, 20),
        "text_embedding_mask": torch.ones(SAMPLES, TEXT_TOKENS),
        "encoder_hidden_states_t5": noise(SAMPLES, 5, 24),
        "text_embedding_mask_t5": torch.ones(SAMPLES, 5),
        "image_rotary_emb": (noise(16, 20), noise(16, 20)),
    })  # fmt: skip


def lumina() -> Built:
    model = diffusers.LuminaNextDiT2DModel(
        sample_size=8, in_channels=4, hidden_size=40, num_layers=2, num_attention_heads=2,
        num_kv_heads=1, multiple_of=20, cross_attention_dim=24,
    )  # fmt: skip
    angles = noise(384, 384, 10)
    return settled(model, {
        "hidden_states": noise(SAMPLES, 4, 8, 8), "timestep": _FRACTION,
        "encoder_hidden_states": noise(SAMPLES, TEXT_TOKENS, 24),
        "encoder_mask": torch.ones(SAMPLES, TEXT_TOKENS, dtype=torch.bool),
        "image_rotary_emb": torch.polar(torch.ones_like(angles), angles),
        "cross_attention_kwargs": {},
    })  # fmt: skip


def lumina2() -> Built:
    model = diffusers.Lumina2Transformer2DModel(
        sample_size=8, in_channels=4, hidden_size=48, num_layers=2, num_refiner_layers=1,
        num_attention_heads=2, num_kv_heads=1, multiple_of=20, axes_dim_rope=(8, 8, 8),
        axes_lens=(30, 20, 20), cap_feat_dim=20,
    )  # fmt: skip
    mask = torch.ones(SAMPLES, TEXT_TOKENS, dtype=torch.bool)
    mask[1, 4:] = False
    return settled(model, {
        "hidden_states": noise(SAMPLES, 4, 8, 8), "timestep": _FRACTION,
        "encoder_hidden_states": noise(SAMPLES, TEXT_TOKENS, 20), "encoder_attention_mask": mask,
    })  # fmt: skip


def auraflow() -> Built:
    model = diffusers.AuraFlowTransformer2DModel(
        sample_size=8, in_channels=4, num_mmdit_layers=1, num_single_dit_layers=1,
        attention_head_dim=20, num_attention_heads=2, joint_attention_dim=24,
        caption_projection_dim=40, pos_embed_max_size=64,
    )  # fmt: skip
    return settled(model, {
        "hidden_states": noise(SAMPLES, 4, 8, 8), "timestep": _FRACTION,
        "encoder_hidden_states": noise(SAMPLES, TEXT_TOKENS, 24),
    })  # fmt: skip


def _cogview(model: torch.nn.Module) -> Built:
    pair = torch.tensor([[64, 64]] * SAMPLES)
    return settled(model, {
        "hidden_states": noise(SAMPLES, 4, 8, 8), "timestep": _STEP,
        "encoder_hidden_states": noise(SAMPLES, TEXT_TOKENS, 24),
        "original_size": pair, "target_size": pair, "crop_coords": pair * 0,
    })  # fmt: skip


_COGVIEW = {
    "in_channels": 4, "out_channels": 4, "num_layers": 2, "attention_head_dim": 20,
    "num_attention_heads": 2, "text_embed_dim": 24, "time_embed_dim": 12, "condition_dim": 6,
    "pos_embed_max_size": 8, "sample_size": 8,
}  # fmt: skip


def cogview3() -> Built:
    return _cogview(diffusers.CogView3PlusTransformer2DModel(**_COGVIEW))


def cogview4() -> Built:
    return _cogview(diffusers.CogView4Transformer2DModel(rope_axes_dim=(8, 8), **_COGVIEW))


def omnigen() -> Built:
    model = diffusers.OmniGenTransformer2DModel(
        in_channels=4, hidden_size=40, num_attention_heads=2, num_key_value_heads=2,
        intermediate_size=52, num_layers=2, pad_token_id=0, vocab_size=30, time_step_dim=12,
        rope_scaling={"long_factor": [1.0] * 10, "short_factor": [1.0] * 10},
    )  # fmt: skip
    tokens = 5 + 1 + 16
    return settled(model, {
        "hidden_states": noise(SAMPLES, 4, 8, 8), "timestep": _FRACTION,
        "input_ids": torch.arange(5).repeat(SAMPLES, 1), "input_img_latents": [],
        "input_image_sizes": {}, "attention_mask": torch.ones(SAMPLES, tokens, tokens),
        "position_ids": torch.arange(tokens).repeat(SAMPLES, 1),
    })  # fmt: skip


def hidream() -> Built:
    model = diffusers.HiDreamImageTransformer2DModel(
        patch_size=2, in_channels=4, out_channels=4, num_layers=1, num_single_layers=1,
        attention_head_dim=20, num_attention_heads=2, caption_channels=[24, 20], text_emb_dim=12,
        num_routed_experts=2, num_activated_experts=1, axes_dims_rope=(4, 8, 8),
        max_resolution=(8, 8), llama_layers=[0, 1], force_inference_output=True,
    )  # fmt: skip
    return settled(model, {
        "hidden_states": noise(SAMPLES, 4, 8, 8), "timesteps": _STEP,
        "encoder_hidden_states_t5": noise(SAMPLES, 5, 24),
        "encoder_hidden_states_llama3": noise(2, SAMPLES, 5, 20),
        "pooled_embeds": noise(SAMPLES, 12),
    })  # fmt: skip


def hunyuan_image() -> Built:
    model = diffusers.HunyuanImageTransformer2DModel(
        in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=20, num_layers=1,
        num_single_layers=1, num_refiner_layers=1, text_embed_dim=24, rope_axes_dim=(12, 8),
    )  # fmt: skip
    return settled(model, {
        "hidden_states": noise(SAMPLES, 4, 5, 3), "timestep": _STEP.float(),
        "encoder_hidden_states": noise(SAMPLES, TEXT_TOKENS, 24),
        "encoder_attention_mask": torch.ones(SAMPLES, TEXT_TOKENS),
    })  # fmt: skip


def z_image() -> Built:
    model = diffusers.ZImageTransformer2DModel(
        in_channels=4, dim=48, n_layers=2, n_refiner_layers=1, n_heads=2, n_kv_heads=2,
        cap_feat_dim=20, axes_dims=[8, 8, 8], axes_lens=[128, 20, 20],
    )  # fmt: skip
    return settled(model, {
        "x": [noise(4, 1, 8, 8), noise(4, 1, 6, 8)], "t": torch.full((2,), 0.7),
        "cap_feats": [noise(7, 20), noise(5, 20)],
    })  # fmt: skip


def prx() -> Built:
    model = diffusers.PRXTransformer2DModel(
        in_channels=4, context_in_dim=20, hidden_size=48, num_heads=2, depth=2, axes_dim=[12, 12]
    )
    return settled(model, {
        "hidden_states": noise(SAMPLES, 4, 8, 8), "timestep": _FRACTION,
        "encoder_hidden_states": noise(SAMPLES, TEXT_TOKENS, 20),
    })  # fmt: skip


def prior() -> Built:
    model = diffusers.PriorTransformer(
        num_attention_heads=2, attention_head_dim=20, num_layers=2, embedding_dim=12,
        num_embeddings=TEXT_TOKENS,
    )  # fmt: skip
    return settled(model, {
        "hidden_states": noise(SAMPLES, 12), "timestep": _STEP,
        "proj_embedding": noise(SAMPLES, 12),
        "encoder_hidden_states": noise(SAMPLES, TEXT_TOKENS, 12),
        "attention_mask": torch.ones(SAMPLES, TEXT_TOKENS),
    })  # fmt: skip


def unet() -> Built:
    model = diffusers.UNet2DConditionModel(
        block_out_channels=(16, 24), layers_per_block=1, sample_size=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), norm_num_groups=4,
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=20,
        attention_head_dim=2,
    )  # fmt: skip
    return settled(model, {
        "sample": noise(SAMPLES, 4, 8, 8), "timestep": _STEP,
        "encoder_hidden_states": noise(SAMPLES, TEXT_TOKENS, 20),
    })  # fmt: skip


def glm_image() -> Built:
    model = diffusers.GlmImageTransformer2DModel(
        in_channels=4, out_channels=4, num_layers=2, attention_head_dim=20, num_attention_heads=2,
        text_embed_dim=24, time_embed_dim=12, condition_dim=6, prior_vq_quantizer_codebook_size=30,
    )  # fmt: skip
    pair = torch.tensor([[64.0, 64.0]] * SAMPLES)
    return settled(model, {
        "hidden_states": noise(SAMPLES, 4, 8, 8), "timestep": _STEP,
        "encoder_hidden_states": noise(SAMPLES, TEXT_TOKENS, 24), "target_size": pair,
        "crop_coords": pair * 0, "prior_token_id": torch.arange(16).repeat(SAMPLES, 1),
        "prior_token_drop": torch.zeros(SAMPLES, 16, dtype=torch.bool),
    })  # fmt: skip


def ernie_image() -> Built:
    model = diffusers.ErnieImageTransformer2DModel(
        hidden_size=48, num_attention_heads=2, num_layers=2, ffn_hidden_size=60, in_channels=4,
        out_channels=4, text_in_dim=20, rope_axes_dim=(8, 8, 8),
    )  # fmt: skip
    return settled(model, {
        "hidden_states": noise(SAMPLES, 4, 5, 3), "timestep": _STEP,
        "text_bth": noise(SAMPLES, TEXT_TOKENS, 20), "text_lens": torch.tensor([7, 4]),
    })  # fmt: skip


def ideogram4() -> Built:
    model = diffusers.Ideogram4Transformer2DModel(
        in_channels=6, num_layers=2, attention_head_dim=20, num_attention_heads=2,
        intermediate_size=52, adaln_dim=12, llm_features_dim=24, mrope_section=(4, 3, 3),
    )  # fmt: skip
    tokens = TEXT_TOKENS + 15
    return settled(model, {
        "hidden_states": noise(SAMPLES, tokens, 6), "timestep": _FRACTION,
        "encoder_hidden_states": noise(SAMPLES, tokens, 24),
        "position_ids": torch.arange(tokens)[None, :, None].repeat(SAMPLES, 1, 3),
        "segment_ids": torch.zeros(SAMPLES, tokens, dtype=torch.long),
        "indicator": torch.tensor([[1] * TEXT_TOKENS + [2] * 15] * SAMPLES),
    })  # fmt: skip


def krea2() -> Built:
    model = diffusers.Krea2Transformer2DModel(
        in_channels=6, num_layers=2, attention_head_dim=20, num_attention_heads=2,
        num_key_value_heads=1, intermediate_size=52, timestep_embed_dim=12, text_hidden_dim=24,
        num_text_layers=3, text_num_attention_heads=2, text_num_key_value_heads=2,
        text_intermediate_size=36, num_layerwise_text_blocks=1, num_refiner_text_blocks=1,
        axes_dims_rope=(4, 8, 8),
    )  # fmt: skip
    return settled(model, {
        "hidden_states": noise(SAMPLES, 15, 6), "timestep": _FRACTION,
        "encoder_hidden_states": noise(SAMPLES, TEXT_TOKENS, 3, 24),
        "position_ids": torch.arange(22.0)[:, None].repeat(1, 3),
    })  # fmt: skip


def joy_image() -> Built:
    model = diffusers.JoyImageEditTransformer3DModel(
        in_channels=4, hidden_size=40, num_attention_heads=2, text_dim=24, num_layers=2,
        rope_dim_list=[4, 8, 8],
    )  # fmt: skip
    return settled(model, {
        "hidden_states": noise(SAMPLES, 4, 2, 8, 8), "timestep": _STEP,
        "encoder_hidden_states": noise(SAMPLES, TEXT_TOKENS, 24),
    })  # fmt: skip


def nucleus() -> Built:
    model = diffusers.NucleusMoEImageTransformer2DModel(
        in_channels=8, out_channels=2, num_layers=2, attention_head_dim=20, num_attention_heads=2,
        joint_attention_dim=24, axes_dims_rope=(4, 8, 8), num_experts=2, moe_intermediate_dim=20,
        capacity_factors=1.0,
    )  # fmt: skip
    return settled(model, {
        "hidden_states": noise(SAMPLES, 15, 8), "timestep": _FRACTION,
        "encoder_hidden_states": noise(SAMPLES, TEXT_TOKENS, 24),
        "img_shapes": [[(1, 3, 5)]] * SAMPLES,
    })  # fmt: skip
