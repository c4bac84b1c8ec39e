"""Time of a small DiT's forward pass with quantized GEMMs over that in FP32.

``mixdit bench torch`` runs on one thread and prints CPU times: the models take turns, and of each
the least time counts, so that other load on the machine matters little.
"""

import copy
import time
from collections.abc import Callable, Mapping

import torch
from rich.table import Table
from torch import nn

from golden.torch.convert import quantize_
from golden.torch.policies import ModelPolicy, mixdit, uniform

TARGET = 3.0
"""Largest time that a policy may take over that of FP32."""

SIZES = {"num_attention_heads": 4, "attention_head_dim": 32, "num_layers": 6, "patch_size": 4}
"""Of the small DiT that `quality` trains: width 128, 64 tokens of 4x4 pixels."""


def small_dit() -> nn.Module:
    """Return a small DiT with random weights."""
    from diffusers import DiTTransformer2DModel

    torch.manual_seed(0)
    others = {"norm_elementwise_affine": False, "activation_fn": "gelu-approximate"}
    shape = {"in_channels": 1, "sample_size": 32, "num_embeds_ada_norm": 10}
    return DiTTransformer2DModel(**SIZES, **shape, **others).eval()


def time_policies(
    policies: Mapping[str, ModelPolicy],
    batch: int,
    rounds: int,
    done: Callable[[dict[str, float]], bool] = lambda times: False,
) -> dict[str, float]:
    """Return the least CPU time of a forward pass in seconds, of "FP32" and of every policy.

    Parameters
    ----------
    policies : mapping of str to policy
    batch : int
        Images.
    rounds : int
        At most so many passes of each model.
    done : callable
        Given the times so far, says whether to stop early.
    """
    models = {"FP32": small_dit()}
    for name, policy in policies.items():
        models[name] = copy.deepcopy(models["FP32"])
        quantize_(models[name], policy, keep=False)
    given = {
        "hidden_states": torch.randn(batch, 1, 32, 32),
        "timestep": torch.full((batch,), 500),
        "class_labels": torch.arange(batch) % 10,
    }
    times = dict.fromkeys(models, float("inf"))
    with torch.inference_mode():
        for _ in range(rounds):
            for name, model in models.items():
                start = time.thread_time()
                model(**given)
                times[name] = min(times[name], time.thread_time() - start)
            if done(times):
                break
    return times


def bench() -> dict[str, float]:
    """Time 200 images; seconds by policy, "FP32" among them.

    Raises
    ------
    ModuleNotFoundError
        If diffusers is not installed.
    """
    torch.set_num_threads(1)
    policies = {
        "MX6": uniform("mx6"),
        "MX9": uniform("mx9"),
        "MixDiT, 5 % / 20 % MX9": mixdit(),
    }
    return time_policies(policies, batch=200, rounds=8)


def table_of(times: Mapping[str, float]) -> Table:
    """Show times, and by how much they exceed FP32's."""
    table = Table(title="Forward pass of a small DiT, 200 images")
    table.add_column("GEMMs")
    table.add_column("seconds", justify="right")
    table.add_column("over FP32", justify="right")
    for name, seconds in times.items():
        table.add_row(name, f"{seconds:.2f}", f"{seconds / times['FP32']:.2f}")
    return table
