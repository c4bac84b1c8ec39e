"""Files of MX tensors, broken at random: the reader refuses each, or reads what it can write.

``mixdit check fuzz-files --minutes 60`` goes on from seed to seed in bounded memory, and stops at
the first file that brings another error than a ValueError.
"""

import copy
import json
import random
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

import golden
from commands.running import sentences
from golden.tests.helpers import assert_same_codes

ROOM = 1 << 30
"""Bytes of address space that reading may take beyond what the process has."""

FOUND = Path("build/fuzz")

Minutes = Annotated[float, typer.Option(help="How long to go on.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the first file; each further one has the next.")]

VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 5, 16, 31, 1.0, 0.5, -0.0, 1e308, 10**13, 2**31, 2**63, 2**64,
    10**30, "", "MX6", "mx9", "MX8", "mixed", "block", "head", "channel_block", "tensor", "U8",
    "F32", "F4", "BF16", "\u00e9", "\0", [], {}, [0], [16], [1] * 40, [[16]], {"shape": 1},
    [10**13, 32], [0, 10**13], [2**63], [-1, 32], [True, 32], [4.0, 32], [0, 12], [0, 2**63],
)  # fmt: skip
"""What stands in a mutated header or description."""

TEXTS = (
    "", "pt", "{", "NaN", "[" * 5000, '{"a":' * 3000, "1" * 5000, '{"axis":NaN}', "\u00e9" * 9,
    '{"format":"MX6","format":"MX9","shape":[4],"axis":0,"granularity":"tensor","tile_rows":null}',
)  # fmt: skip


def valid_files(folder: Path) -> list[bytes]:
    """Return the bytes of files of every granularity, with odd names, empty and without tensors."""
    x = np.random.default_rng(0).standard_normal((2, 5, 40)).astype(np.float32)
    policy = golden.Policy(0.3, tile_rows=2)
    sets: list[tuple[dict[str, golden.MXTensor], dict[str, Any]]] = [
        ({}, {}),
        ({"w": golden.quantize(x, "MX6"), "w.base": golden.quantize(x, "MX4", 0)}, {}),
        ({"": golden.quantize(x[:0], "MX9"), "format": golden.quantize(x, "MX9", 1)}, {}),
        ({"x": golden.apply_policy(x, policy)}, {}),
        ({"x": golden.apply_policy(x, policy)}, {"granularity": "channel_block", "tile_rows": 2}),
        (
            {"x": golden.apply_policy(x, golden.Policy(0.5, granularity="head"))},
            {"granularity": "head"},
        ),
    ]
    files = []
    for tensors, options in sets:
        golden.save(folder / "valid", tensors, **options)
        files.append((folder / "valid").read_bytes())
    return files


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Break a file in one to three ways."""
    for _ in range(rng.randint(1, 3)):
        data = rng.choice(MUTATIONS)(data, rng)
    return data


def _bytes(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        if changed:
            changed[rng.randrange(len(changed))] = rng.choice([0, 1, 0x22, 0x7B, 0xFF, 0xC3, 0xED])
    return bytes(changed)


def _cut(data: bytes, rng: random.Random) -> bytes:
    first, last = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return rng.choice([data[:first], data[:first] + data[last:], data + data[first:last]])


def _length(data: bytes, rng: random.Random) -> bytes:
    size = rng.choice([0, 1, 7, len(data), 2**31, 2**40, 2**63, 2**64 - 1, rng.randrange(2000)])
    return size.to_bytes(8, "little") + data[8:]


def _header(change: Callable[[dict[str, Any], random.Random], None]) -> Callable[..., bytes]:
    def mutated(data: bytes, rng: random.Random) -> bytes:
        try:
            size = int.from_bytes(data[:8], "little")
            header = json.loads(data[8 : 8 + size])
            change(header, rng)
            text = json.dumps(header, ensure_ascii=rng.random() < 0.5).encode("utf-8", "replace")
        except (ValueError, RecursionError, AttributeError, KeyError, TypeError, IndexError):
            return data
        return len(text).to_bytes(8, "little") + text + data[8 + size :]

    return mutated


def replace_node(record: Any, rng: random.Random) -> None:
    """Put another value somewhere into nested objects and lists, or take one out."""
    while isinstance(record, dict | list) and record:
        key = rng.choice(list(record)) if isinstance(record, dict) else rng.randrange(len(record))
        if not isinstance(record[key], dict | list) or rng.random() < 0.3:
            if rng.random() < 0.2:
                del record[key]
            else:
                record[key] = copy.deepcopy(rng.choice(VALUES))
            return
        record = record[key]


def _replace_description(header: dict[str, Any], rng: random.Random) -> None:
    metadata = header.setdefault("__metadata__", {})
    name = rng.choice([*metadata, "other"])
    if name == "other" or rng.random() < 0.3:
        metadata[name] = rng.choice(TEXTS)
        return
    record = json.loads(metadata[name])
    replace_node(record, rng)
    if rng.random() < 0.3:
        key = rng.choice(["axis", "shape", "format", "granularity", "more"])
        record[key] = copy.deepcopy(rng.choice(VALUES))
    metadata[name] = json.dumps(record)


def _rename(header: dict[str, Any], rng: random.Random) -> None:
    name = rng.choice(list(header))
    header[rng.choice(["x.base", "w.residual", "quantization", ".precision"])] = header.pop(name)


MUTATIONS = (
    _bytes,
    _cut,
    _length,
    _header(replace_node),
    _header(_replace_description),
    _header(_replace_description),
    _header(_rename),
)


def read(data: bytes, path: Path) -> bool:
    """Return whether the reader takes a file; if so, what it read must be written and read again.

    Raises
    ------
    BaseException
        Whatever else the reader does than returning tensors or raising a ValueError.
    """
    path.write_bytes(data)
    try:
        tensors = golden.load(path)
    except ValueError:
        return False
    golden.save(path, tensors)
    again = golden.load(path)
    assert list(again) == list(tensors)
    for name, tensor in tensors.items():
        assert (again[name].shape, again[name].axis) == (tensor.shape, tensor.axis)
        assert_same_codes(again[name], tensor)
    return True


def bound_memory() -> None:
    """Let this process have no more than `ROOM` beyond what it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def broken(files: list[bytes], rng: random.Random) -> bytes:
    """Return one of the files, broken."""
    return mutate(rng.choice(files), rng)


def search(
    break_one: Callable[[random.Random], bytes],
    read_one: Callable[[bytes], bool],
    minutes: float,
    seed: int,
) -> int:
    """Read broken files until the time is up; return 1 at the first finding, which is kept.

    Raises
    ------
    ValueError
        If there is no time.
    """
    if not minutes > 0:
        raise ValueError(f"--minutes must be more than 0, not {minutes}")
    first, end, taken = seed, time.monotonic() + 60 * minutes, 0
    while time.monotonic() < end:
        data = break_one(random.Random(seed))
        try:
            taken += read_one(data)
        except BaseException as error:
            FOUND.mkdir(parents=True, exist_ok=True)
            (FOUND / f"{seed}.safetensors").write_bytes(data)
            print(f"seed {seed}: {type(error).__name__}: {error}; see {FOUND}", flush=True)
            if isinstance(error, KeyboardInterrupt):
                raise
            return 1
        seed += 1
    print(f"{seed - first} files, {taken} of them read, the others refused")
    return 0


def main(minutes: Minutes = 60.0, seed: Seed = 1) -> int:
    """Break files of MX tensors at random: each is refused, or read whole.

    The exit code is 1 at the first that is neither, which is kept in build/fuzz.

    Example: mixdit check fuzz-files --minutes 5
    """
    bound_memory()
    with sentences(), tempfile.TemporaryDirectory() as folder:
        files = valid_files(Path(folder))
        return search(
            lambda rng: broken(files, rng),
            lambda data: read(data, Path(folder) / "broken"),
            minutes,
            seed,
        )
