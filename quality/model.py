"""The diffusion transformer: diffusers' DiT, with the initialisation that it leaves to its user."""

from pathlib import Path

import torch
from diffusers import DiTTransformer2DModel
from torch import nn

from quality.recipe import IMAGE_SIZE, NULL_CLASS, TrainingRecipe
from quality.storage import read_tensors
from quality.weights import load_into


def build_model(recipe: TrainingRecipe) -> DiTTransformer2DModel:
    """Build the model with adaLN-Zero initialisation (Peebles and Xie, ICCV 2023, section 3.2).

    diffusers leaves torch's default initialisation in place, so this function sets all of it. The
    caller drops labels: `LabelEmbedding` would do it once per block, each block for other images.

    Parameters
    ----------
    recipe : TrainingRecipe
        Sizes and seed.

    Returns
    -------
    DiTTransformer2DModel
        FP32 weights on the CPU; its output is exactly zero until it is trained.
    """
    model = DiTTransformer2DModel(
        num_attention_heads=recipe.heads,
        attention_head_dim=recipe.head_width,
        in_channels=1,
        num_layers=recipe.layers,
        sample_size=IMAGE_SIZE,
        patch_size=recipe.patch_size,
        activation_fn="gelu-approximate",
        num_embeds_ada_norm=NULL_CLASS,  # diffusers adds one row, the null class
        norm_elementwise_affine=False,
    )
    generator = torch.Generator().manual_seed(recipe.seed)
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight, generator=generator)
            nn.init.zeros_(module.bias)
    patches = model.pos_embed.proj
    nn.init.xavier_uniform_(patches.weight.view(patches.weight.shape[0], -1), generator=generator)
    nn.init.zeros_(patches.bias)
    for block in model.transformer_blocks:
        embedding = block.norm1.emb
        embedding.class_embedder.dropout_prob = 0.0
        nn.init.normal_(
            embedding.class_embedder.embedding_table.weight, std=0.02, generator=generator
        )
        nn.init.normal_(embedding.timestep_embedder.linear_1.weight, std=0.02, generator=generator)
        nn.init.normal_(embedding.timestep_embedder.linear_2.weight, std=0.02, generator=generator)
        nn.init.zeros_(block.norm1.linear.weight)  # every gate is 0: each block starts as identity
    for head in (model.proj_out_1, model.proj_out_2):
        nn.init.zeros_(head.weight)
    return model


def load_model(path: Path) -> tuple[DiTTransformer2DModel, dict]:
    """Load a trained model in evaluation mode.

    Parameters
    ----------
    path : Path
        A checkpoint that `quality.train` wrote.

    Returns
    -------
    model : DiTTransformer2DModel
        FP32, each weight an FP16 value.
    provenance : dict
        How it was trained (``recipe``, ``steps``, ``final_loss`` ...) and the file's ``sha256``.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing, or is no checkpoint of this model.
    """
    weights, provenance = read_tensors(path, "mixdit quality train")
    try:
        recipe = TrainingRecipe(**provenance["recipe"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is no checkpoint of `mixdit quality train`: {error}") from error
    model = build_model(recipe)
    load_into(model, weights, path)
    return model.eval(), provenance
