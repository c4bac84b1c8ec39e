"""Files of quantized models, broken at random: each is refused, or gives a model that runs.

``mixdit check fuzz-quantized --minutes 60`` goes on from seed to seed in bounded memory, and stops
at the first file that brings another error than a ValueError, or that changes a model although it
is refused.
"""

import copy
import json
import math
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import golden
from golden.tests.fuzz_files import (
    VALUES,
    bound_memory,
    broken,
    replace_node,
    search,
)
from golden.torch import (
    Clock,
    ModelPolicy,
    MXScheme,
    Site,
    TimestepScheme,
    load_quantized,
    quantize_,
    save_quantized,
    uniform,
)

RECORD = "quantization"
"""The tensor that holds the document."""


class Small(nn.Module):
    """Two layers, a buffer in no state dict, and a timestep."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Linear(40, 24), nn.Linear(24, 3, bias=False)
        self.norm = nn.LayerNorm(24)
        self.register_buffer("angles", torch.linspace(0, 1, 24), persistent=False)

    def forward(self, x: torch.Tensor, timestep: float = 0.0) -> torch.Tensor:
        return self.last(self.norm(self.first(x)) * self.angles)


def _static(site: Site) -> MXScheme:
    tags = np.arange(-(-site.k // 16)) % 2 == 1
    order = np.random.default_rng(site.k).permutation(site.k)
    policy = golden.Policy(
        0.5, selection="static", static_tags=tags, order="calibrated", permutation=order,
        weights=(golden.MX6, golden.MX9), tile_rows=8,
    )  # fmt: skip
    return MXScheme(policy, policy, outliers=tags, correction=torch.linspace(-1, 1, site.n))


def _timed(clock: Clock) -> ModelPolicy:
    def policy(site: Site) -> TimestepScheme:
        schemes = [MXScheme(fmt, "MX6") for fmt in ("MX6", "MX9")]
        return TimestepScheme(clock, list(zip((5.0, math.inf), schemes, strict=True)))

    return policy


def valid_files(folder: Path) -> list[bytes]:
    """Return the bytes of files of models under several policies."""
    clock = Clock()
    policies: list[tuple[ModelPolicy, dict[str, Any]]] = [
        (uniform("mx6"), {}),
        (_static, {}),
        (_timed(clock), {"clock": clock}),
        (lambda site: MXScheme("MX6", golden.Policy(0.3, granularity="block")), {}),
        (lambda site: None, {}),
    ]
    files = []
    for policy, options in policies:
        model = Small().eval()
        quantize_(model, policy, **options)
        save_quantized(folder / "valid", model)
        files.append((folder / "valid").read_bytes())
    return files


def broken_document(data: bytes, rng: random.Random) -> bytes:
    """Put other values into the document of a file."""
    size = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    first, last = header[RECORD]["data_offsets"]
    document = json.loads(body[first:last])
    for _ in range(rng.randint(1, 3)):
        if isinstance(document, dict | list) and rng.random() < 0.95:
            replace_node(document, rng)
        else:
            document = copy.deepcopy(rng.choice(VALUES))
    text = json.dumps(document, ensure_ascii=rng.random() < 0.5).encode("utf-8", "replace")
    grown = len(text) - (last - first)
    for entry in header.values():
        if "data_offsets" in entry and entry["data_offsets"][0] >= last:
            entry["data_offsets"] = [each + grown for each in entry["data_offsets"]]
    header[RECORD] |= {"shape": [len(text)], "data_offsets": [first, first + len(text)]}
    new = json.dumps(header).encode()
    return len(new).to_bytes(8, "little") + new + body[:first] + text + body[last:]


def read(data: bytes, path: Path) -> bool:
    """Return whether a model is made of a file; then it runs, and can be saved and loaded again.

    Raises
    ------
    BaseException
        Whatever else the reader does than making a model or raising a ValueError.
    AssertionError
        If a model that was refused is not as it was.
    """
    path.write_bytes(data)
    model = Small().eval()
    layers, state = list(model.modules()), {k: v.clone() for k, v in model.state_dict().items()}
    try:
        load_quantized(path, model)
    except ValueError:
        assert list(model.modules()) == layers
        assert all(torch.equal(each, state[name]) for name, each in model.state_dict().items())
        assert torch.equal(model.angles, Small().angles)
        return False
    x, again = torch.ones(2, 40), Small().eval()
    save_quantized(path, model)
    load_quantized(path, again)
    with torch.no_grad():
        try:
            expected = model(x, timestep=7.0)
        except ValueError:  # a policy may end before a timestep, or ask for more than its share
            return True
        assert torch.equal(again(x, timestep=7.0).view(torch.int32), expected.view(torch.int32))
    return True


def break_one(files: list[bytes]) -> Callable[[random.Random], bytes]:
    """Return what breaks one of the files, in half of the cases its document alone."""
    return lambda rng: (
        broken(files, rng) if rng.random() < 0.5 else broken_document(rng.choice(files), rng)
    )


def fuzz(minutes: float, seed: int) -> int:
    """Read broken files for so many minutes; return the exit code, as `search` has it."""
    torch.set_num_threads(1)
    bound_memory()
    with tempfile.TemporaryDirectory() as folder:
        files = valid_files(Path(folder))
        path = Path(folder) / "broken"
        return search(break_one(files), lambda data: read(data, path), minutes, seed)
