"""Transformers of diffusers that make videos or sound, in miniature."""

import diffusers
import torch

from quality.zoo.settle import TEXT_TOKENS, Built, noise, settled

_SAMPLES = 2
_STEP = torch.full((_SAMPLES,), 7)
_FRACTION = torch.full((_SAMPLES,), 0.7)


def _clip(frames: int = 2, side: int = 8) -> torch.Tensor:
    """Return a latent video of 4 channels."""
    return noise(_SAMPLES, 4, frames, side, side)


def _text(width: int) -> torch.Tensor:
    return noise(_SAMPLES, TEXT_TOKENS, width)


def _text_mask(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    mask = torch.ones(_SAMPLES, TEXT_TOKENS, dtype=dtype)
    mask[1, 4:] = 0
    return mask


def cogvideox() -> Built:
    model = diffusers.CogVideoXTransformer3DModel(
        num_attention_heads=2, attention_head_dim=24, in_channels=4, out_channels=4,
        time_embed_dim=12, text_embed_dim=24, num_layers=2, sample_width=8, sample_height=8,
        sample_frames=5, max_text_seq_length=TEXT_TOKENS,
    )  # fmt: skip
    return settled(model, {
        "hidden_states": _clip().transpose(1, 2), "timestep": _STEP,
        "encoder_hidden_states": _text(24),
    })  # fmt: skip


_WAN = {
    "num_attention_heads": 2, "attention_head_dim": 20, "in_channels": 4, "out_channels": 4,
    "text_dim": 24, "freq_dim": 12, "ffn_dim": 36, "num_layers": 2,
}  # fmt: skip


def _wan_inputs() -> dict[str, object]:
    return {"hidden_states": _clip(), "timestep": _STEP, "encoder_hidden_states": _text(24)}


def wan() -> Built:
    return settled(diffusers.WanTransformer3DModel(**_WAN), _wan_inputs())


def wan_image_to_video() -> Built:
    model = diffusers.WanTransformer3DModel(image_dim=12, added_kv_proj_dim=40, **_WAN)
    # The processor takes all but the last 512 tokens for the image's.
    inputs = _wan_inputs() | {"encoder_hidden_states": noise(_SAMPLES, 512, 24)}
    return settled(model, inputs | {"encoder_hidden_states_image": noise(_SAMPLES, 5, 12)})


def wan_vace() -> Built:
    model = diffusers.WanVACETransformer3DModel(vace_layers=[0], vace_in_channels=4, **_WAN)
    return settled(model, _wan_inputs() | {
        "control_hidden_states": _clip(), "control_hidden_states_scale": torch.ones(1)
    })  # fmt: skip


def skyreels() -> Built:
    return settled(diffusers.SkyReelsV2Transformer3DModel(**_WAN), _wan_inputs())


def chronoedit() -> Built:
    return settled(diffusers.ChronoEditTransformer3DModel(**_WAN), _wan_inputs())


def ltx() -> Built:
    model = diffusers.LTXVideoTransformer3DModel(
        in_channels=6, out_channels=6, num_attention_heads=2, attention_head_dim=20,
        cross_attention_dim=40, num_layers=2, caption_channels=24,
    )  # fmt: skip
    return settled(model, {
        "hidden_states": noise(_SAMPLES, 24, 6), "timestep": _STEP,
        "encoder_hidden_states": _text(24), "encoder_attention_mask": _text_mask(),
        "num_frames": 2, "height": 3, "width": 4,
    })  # fmt: skip


def mochi() -> Built:
    model = diffusers.MochiTransformer3DModel(
        num_attention_heads=2, attention_head_dim=20, num_layers=2, pooled_projection_dim=12,
        in_channels=4, text_embed_dim=24, time_embed_dim=12, max_sequence_length=TEXT_TOKENS,
    )  # fmt: skip
    return settled(model, {
        "hidden_states": _clip(), "timestep": _STEP, "encoder_hidden_states": _text(24),
        "encoder_attention_mask": _text_mask(torch.bool),
    })  # fmt: skip


def allegro() -> Built:
    model = diffusers.AllegroTransformer3DModel(
        num_attention_heads=2, attention_head_dim=24, num_layers=2, cross_attention_dim=48,
        sample_height=8, sample_width=8, sample_frames=2, caption_channels=20,
    )  # fmt: skip
    tokens, third = 2 * 4 * 4, 4
    angles = [[noise(2 * third, 8) for _ in range(3)] for _ in range(2)]
    grid = [torch.arange(tokens)[None] % 4 for _ in range(3)]
    return settled(model, {
        "hidden_states": _clip(), "timestep": _STEP, "encoder_hidden_states": _text(20)[:, None],
        "attention_mask": torch.ones(_SAMPLES, 2, 8, 8), "encoder_attention_mask": _text_mask(),
        "image_rotary_emb": ([(cos, sin) for cos, sin in zip(*angles, strict=True)], grid),
    })  # fmt: skip


def hunyuan_video() -> Built:
    model = diffusers.HunyuanVideoTransformer3DModel(
        in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=20, num_layers=1,
        num_single_layers=1, num_refiner_layers=1, text_embed_dim=24, pooled_projection_dim=12,
        rope_axes_dim=(4, 8, 8),
    )  # fmt: skip
    return settled(model, {
        "hidden_states": _clip(), "timestep": _STEP, "encoder_hidden_states": _text(24),
        "encoder_attention_mask": _text_mask(), "pooled_projections": noise(_SAMPLES, 12),
        "guidance": torch.full((_SAMPLES,), 3.5),
    })  # fmt: skip


def hunyuan_video15() -> Built:
    model = diffusers.HunyuanVideo15Transformer3DModel(
        in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=20, num_layers=2,
        num_refiner_layers=1, text_embed_dim=24, text_embed_2_dim=20, image_embed_dim=12,
        rope_axes_dim=(4, 8, 8),
    )  # fmt: skip
    return settled(model, {
        "hidden_states": _clip(2, 4), "timestep": _STEP.float(), "encoder_hidden_states": _text(24),
        "encoder_attention_mask": _text_mask(), "encoder_hidden_states_2": _text(20),
        "encoder_attention_mask_2": _text_mask(), "image_embeds": noise(_SAMPLES, 5, 12),
    })  # fmt: skip


def cosmos() -> Built:
    model = diffusers.CosmosTransformer3DModel(
        in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=20, num_layers=2,
        text_embed_dim=24, adaln_lora_dim=6, max_size=(2, 8, 8), concat_padding_mask=False,
    )  # fmt: skip
    return settled(model, {
        "hidden_states": _clip(), "timestep": _STEP, "encoder_hidden_states": _text(24), "fps": 30
    })  # fmt: skip


def easyanimate() -> Built:
    model = diffusers.EasyAnimateTransformer3DModel(
        num_attention_heads=2, attention_head_dim=16, in_channels=4, out_channels=4, patch_size=2,
        sample_width=8, sample_height=8, num_layers=2, mmdit_layers=1, time_embed_dim=12,
        text_embed_dim=24,
    )  # fmt: skip
    return settled(model, {
        "hidden_states": _clip(), "timestep": _STEP, "encoder_hidden_states": _text(24)
    })  # fmt: skip


def kandinsky5() -> Built:
    model = diffusers.Kandinsky5Transformer3DModel(
        in_text_dim=24, in_text_dim2=12, time_dim=20, model_dim=40, ff_dim=52, num_text_blocks=1,
        num_visual_blocks=1, axes_dims=(4, 8, 8),
    )  # fmt: skip
    return settled(model, {
        "hidden_states": noise(_SAMPLES, 2, 8, 8, 4), "timestep": _STEP,
        "encoder_hidden_states": _text(24), "pooled_projections": noise(_SAMPLES, 12),
        "visual_rope_pos": [torch.arange(2), torch.arange(4), torch.arange(4)],
        "text_rope_pos": torch.arange(TEXT_TOKENS),
    })  # fmt: skip


def latte() -> Built:
    model = diffusers.LatteTransformer3DModel(
        num_attention_heads=2, attention_head_dim=20, in_channels=4, out_channels=4, num_layers=1,
        cross_attention_dim=40, sample_size=8, patch_size=2, norm_type="ada_norm_single",
        caption_channels=24, video_length=2, norm_elementwise_affine=False,
    )  # fmt: skip
    return settled(model, {
        "hidden_states": _clip(), "timestep": _STEP, "encoder_hidden_states": _text(24)
    })  # fmt: skip


def sana_video() -> Built:
    model = diffusers.SanaVideoTransformer3DModel(
        in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=20, num_layers=2,
        num_cross_attention_heads=2, cross_attention_head_dim=20, cross_attention_dim=40,
        caption_channels=24, sample_size=8,
    )  # fmt: skip
    return settled(model, {
        "hidden_states": _clip(), "timestep": _STEP, "encoder_hidden_states": _text(24)
    })  # fmt: skip


def stable_audio() -> Built:
    model = diffusers.StableAudioDiTModel(
        sample_size=12, in_channels=6, num_layers=2, attention_head_dim=20, num_attention_heads=2,
        num_key_value_attention_heads=1, out_channels=6, cross_attention_dim=20, time_proj_dim=12,
        global_states_input_dim=14, cross_attention_input_dim=24,
    )  # fmt: skip
    return settled(model, {
        "hidden_states": noise(_SAMPLES, 6, 12), "timestep": _FRACTION,
        "encoder_hidden_states": _text(24), "global_hidden_states": noise(_SAMPLES, 1, 14),
        "rotary_embedding": (noise(13, 10), noise(13, 10)),
    })  # fmt: skip


def stable_audio3() -> Built:
    model = diffusers.StableAudio3DiTModel(
        io_channels=6, embed_dim=40, depth=2, num_heads=2, cond_token_dim=24, global_cond_dim=20,
        local_add_cond_dim=7, timestep_features_dim=12, num_memory_tokens=3,
        use_differential_attention=True,
    )  # fmt: skip
    return settled(model, {
        "hidden_states": noise(_SAMPLES, 6, 12), "timestep": _FRACTION,
        "encoder_hidden_states": _text(24), "global_hidden_states": noise(_SAMPLES, 20),
    })  # fmt: skip


def ace_step() -> Built:
    model = diffusers.AceStepTransformer1DModel(
        hidden_size=48, intermediate_size=60, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=24, in_channels=12, audio_acoustic_hidden_dim=4,
        sliding_window=4,
    )  # fmt: skip
    return settled(model, {
        "hidden_states": noise(_SAMPLES, 10, 4), "timestep": _FRACTION, "timestep_r": _FRACTION,
        "encoder_hidden_states": _text(48), "context_latents": noise(_SAMPLES, 10, 8),
    })  # fmt: skip


def anyflow() -> Built:
    steps = _STEP[:, None].repeat(1, 2)
    inputs = _wan_inputs() | {"timestep": steps, "r_timestep": steps}
    model = diffusers.AnyFlowTransformer3DModel(**_WAN)
    return settled(model, inputs | {"hidden_states": _clip().transpose(1, 2)})


def helios() -> Built:
    model = diffusers.HeliosTransformer3DModel(
        rope_dim=(4, 8, 8), has_multi_term_memory_patch=False, guidance_cross_attn=False,
        zero_history_timestep=False, **_WAN,
    )  # fmt: skip
    return settled(model, _wan_inputs())


def motif() -> Built:
    model = diffusers.MotifVideoTransformer3DModel(
        in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=20, num_layers=1,
        num_single_layers=1, text_embed_dim=24, rope_axes_dim=(4, 8, 8),
    )  # fmt: skip
    return settled(model, _wan_inputs())


def consisid() -> Built:
    model = diffusers.ConsisIDTransformer3DModel(
        num_attention_heads=2, attention_head_dim=24, in_channels=4, out_channels=4,
        time_embed_dim=12, text_embed_dim=24, num_layers=2, sample_width=8, sample_height=8,
        sample_frames=5, max_text_seq_length=TEXT_TOKENS,
    )  # fmt: skip
    return settled(model, _wan_inputs() | {"hidden_states": _clip().transpose(1, 2)})


def kandinsky6() -> Built:
    model = diffusers.Kandinsky6Transformer3DModel(
        in_visual_dim=4, out_visual_dim=4, in_text_dim=24, in_text_dim2=12, time_dim=20,
        model_dim=40, ff_dim=52, num_text_blocks=1, num_visual_blocks=1, axes_dims=(4, 8, 8),
        visual_cond=False, in_audio_dim=6, out_audio_dim=6,
    )  # fmt: skip
    return settled(model, {
        "hidden_states": noise(1, 2, 8, 8, 4), "timestep": _STEP[:1],
        "encoder_hidden_states": noise(1, TEXT_TOKENS, 24), "pooled_projections": noise(1, 12),
        "audio_hidden_states": noise(1, 5, 6),
    })  # fmt: skip


def ltx2() -> Built:
    model = diffusers.LTX2VideoTransformer3DModel(
        in_channels=6, out_channels=6, num_attention_heads=2, attention_head_dim=20,
        cross_attention_dim=40, audio_in_channels=6, audio_out_channels=6,
        audio_num_attention_heads=2, audio_attention_head_dim=12, audio_cross_attention_dim=24,
        num_layers=1, caption_channels=20,
    )  # fmt: skip
    return settled(model, {
        "hidden_states": noise(_SAMPLES, 24, 6), "audio_hidden_states": noise(_SAMPLES, 5, 6),
        "encoder_hidden_states": _text(20), "audio_encoder_hidden_states": _text(20),
        "timestep": _STEP, "num_frames": 2, "height": 3, "width": 4, "audio_num_frames": 5,
    })  # fmt: skip


def longcat_audio() -> Built:
    model = diffusers.LongCatAudioDiTTransformer(
        dit_dim=40, dit_depth=2, dit_heads=2, dit_text_dim=24, latent_dim=6
    )
    return settled(model, {
        "hidden_states": noise(_SAMPLES, 12, 6), "timestep": _FRACTION,
        "encoder_hidden_states": _text(24), "encoder_attention_mask": _text_mask(torch.bool),
        "latent_cond": noise(_SAMPLES, 12, 6),
    })  # fmt: skip


def minimax_music() -> Built:
    model = diffusers.MiniMaxMusic3Transformer1DModel(
        in_channels=6, condition_dim=24, num_layers=2, num_attention_heads=2,
        attention_head_dim=20, ff_inner_dim=52, rotary_dim=8, fourier_embedding_dim=12,
    )  # fmt: skip
    return settled(model, {
        "hidden_states": noise(_SAMPLES, 6, 12), "timestep": _FRACTION,
        "encoder_hidden_states": noise(_SAMPLES, 12, 24),
    })  # fmt: skip
