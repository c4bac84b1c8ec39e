"""Makes ``models.json``: each configuration built, traced, and folded into kinds of blocks."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields, replace
from itertools import groupby
from typing import Any

import diffusers
import torch
from torch import nn

from perf.workloads.vector_ops import VectorOp

from .configurations import BATCH, CONFIGURATIONS, DECODER, UNET, Configuration
from .model import Gemm
from .trace import Trace, Traced

BLOCKS = "transformer_blocks"
_DEFAULTS = {field.name: field.default for field in fields(Gemm)}
_OMITTED = ("count", "bias", "shares")


def generate() -> dict[str, Any]:
    """Trace every model.

    Returns
    -------
    dict
        The document that `perf.workloads.load_models` reads.
    """
    return {
        "made_by": "mixdit dev workloads",
        "diffusers": diffusers.__version__,
        "unet_macs": _unet_macs(),
        "models": {name: _describe(each) for name, each in CONFIGURATIONS.items()},
    }


def dump(value: Any, indent: str = "") -> str:
    """Write JSON with one line for everything that holds no further dicts or lists."""
    inner = value.values() if isinstance(value, dict) else value
    if not isinstance(value, dict | list) or not any(isinstance(i, dict | list) for i in inner):
        return json.dumps(value)
    deeper = indent + " "
    if isinstance(value, dict):
        lines = [f"{deeper}{json.dumps(key)}: {dump(each, deeper)}" for key, each in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    return "[\n" + ",\n".join(deeper + dump(each, deeper) for each in value) + f"\n{indent}]"


def _describe(configuration: Configuration) -> dict[str, Any]:
    with torch.device("meta"):
        model = getattr(diffusers, configuration.class_name)(**configuration.arguments).eval()
        inputs = _inputs(configuration)
    trace = Trace(model, BLOCKS)
    with trace.watching():
        model(**inputs)
    patch = configuration.arguments["patch_size"]
    return {
        "title": configuration.title,
        "source": configuration.source,
        "configuration": dict(configuration.arguments),
        "parameters": sum(each.numel() for each in model.parameters()),
        "batch": BATCH,
        "image_tokens": (configuration.latent // patch) ** 2,
        "text_tokens": configuration.text_tokens,
        "samplings": [asdict(each) for each in configuration.samplings],
        "encoder_macs": BATCH * sum(each.macs for each in configuration.encoders),
        "decoder_macs": _decoder_macs(configuration),
        "blocks": _blocks(trace.found),
    }


def _inputs(configuration: Configuration) -> dict[str, torch.Tensor | dict[str, None]]:
    """Make what the model's forward takes."""
    arguments, side = configuration.arguments, configuration.latent
    inputs: dict[str, Any] = {
        "hidden_states": torch.empty(BATCH, arguments["in_channels"], side, side),
        "timestep": torch.empty(BATCH, dtype=torch.long),
    }
    text = configuration.text_tokens
    if configuration.class_name == "DiTTransformer2DModel":
        inputs["class_labels"] = torch.empty(BATCH, dtype=torch.long)
    elif configuration.class_name == "PixArtTransformer2DModel":
        inputs["encoder_hidden_states"] = torch.empty(BATCH, text, arguments["caption_channels"])
        inputs["added_cond_kwargs"] = {"resolution": None, "aspect_ratio": None}
    else:
        inputs["encoder_hidden_states"] = torch.empty(BATCH, text, arguments["joint_attention_dim"])
        inputs["pooled_projections"] = torch.empty(BATCH, arguments["pooled_projection_dim"])
    return inputs


def _blocks(found: Sequence[Traced]) -> list[dict[str, Any]]:
    """Fold equal neighbours; what runs outside of blocks comes first."""
    owned: dict[str, list[Gemm | VectorOp]] = {"": []}
    for each in found:
        block = owned.setdefault(each.owner, [])
        gemms = sum(isinstance(other, Gemm) for other in block)
        block.append(each.what if isinstance(each.what, Gemm) else replace(each.what, after=gemms))
    kinds = [_block("outside", 1, owned.pop(""))]
    for _, group in groupby(owned.values()):
        blocks = list(group)
        kinds.append(_block(f"block {len(kinds)}", len(blocks), blocks[0]))
    return kinds


def _block(name: str, count: int, found: Sequence[Gemm | VectorOp]) -> dict[str, Any]:
    return {
        "name": name, "count": count,
        "gemms": [{key: value for key, value in asdict(each).items()
                   if key not in _OMITTED or value != _DEFAULTS[key]}
                  for each in found if isinstance(each, Gemm)],
        "vector_ops": [asdict(each) for each in found if isinstance(each, VectorOp)],
    }


def _decoder_macs(configuration: Configuration) -> int:
    arguments = {**DECODER, **(configuration.decoder_arguments or {})}
    with torch.device("meta"):
        decoder = diffusers.AutoencoderKL(**arguments).eval()
        latent = torch.empty(1, arguments["latent_channels"], *[configuration.latent] * 2)
    return _macs(decoder, decoder.decode, latent)


def _unet_macs() -> int:
    """Count for one sample of 512x512 pixels with a prompt of 77 tokens."""
    side, width = UNET["sample_size"], UNET["cross_attention_dim"]
    with torch.device("meta"):
        unet = diffusers.UNet2DConditionModel(**UNET).eval()
        return _macs(unet, unet, torch.empty(1, 4, side, side), torch.empty(1),
                     torch.empty(1, 77, width))


def _macs(model: nn.Module, call: Callable[..., Any], *inputs: torch.Tensor) -> int:
    trace = Trace(model, only_gemms=True)
    with trace.watching():
        call(*inputs)
    return sum(each.what.macs for each in trace.found if isinstance(each.what, Gemm))
