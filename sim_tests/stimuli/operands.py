"""Random matrices, and golden tensors as the hardware's streams and ports carry them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from amaranth import Shape
from amaranth.lib import data
from numpy.typing import NDArray

from golden import MX6, MX9, MXTensor, quantize
from golden.accumulator import beat_shift
from golden.precision import mix
from hw.contract.config import Config
from hw.contract.job import job_layout
from hw.host.driver import Job
from sim_tests import drive

SMALL = {"rows": 2, "cols": 3, "k_max": 256, "weight_bytes": 16, "act_depth": 48,
         "weight_depth": 48, "tile_slots": 4}


def small_config(**changes: Any) -> Config:
    """Make a configuration for a bench: `SMALL`, and what it needs otherwise."""
    chosen = SMALL | changes
    blocks = -(-chosen["k_max"] // 16)
    rows = max(chosen["rows"], chosen["cols"])
    return Config(**({"stage_depth": rows * blocks + 2, "drain_lanes": chosen["cols"]} | chosen))


def handed_over(config: Config, **others: Any) -> dict[str, Any]:
    """Make the parameters of `bench.run` from which `configuration` rebuilds a configuration."""
    return {"config": asdict(config), **others}


def configuration() -> Config:
    """Return the configuration under test, inside the simulator."""
    fields = drive.parameters()["config"]
    return Config(**(fields | {"float_formats": tuple(fields["float_formats"])}))


def noise(shape: Any, count: int, purpose: str) -> Any:
    """Draw what may stand in a field that nobody looks at, as `drive.pack` takes it.

    The same purpose gives the same noise.
    """
    if isinstance(shape, data.StructLayout):
        return {name: noise(field.shape, count, f"{purpose} {name}") for name, field in shape}
    return drive.rng(f"noise {purpose}").integers(0, 1 << Shape.cast(shape).width, count)


def job_words(config: Config, jobs: Sequence[Job], ignored: Sequence[str] = ()) -> list[int]:
    """Pack jobs for a stream of `job_layout`; fields that are ignored hold anything."""
    codes = [job.registers() for job in jobs]

    def column(name: str) -> list[int]:
        return [code[f"JOB_{name}"] for code in codes]

    flags = np.array(column("FLAGS"))
    layout = job_layout(config)
    return drive.pack(layout, {
        **{name: column(name.upper())
           for name in ("kind", "m", "n", "k", "tiles", "output", "table")},
        "k_blocks": [-(-job.k // 16) for job in jobs],
        "float_format": column("FORMAT"),
        **{name: flags >> bit & 1 for bit, name in enumerate(("has_bias", "reorder", "measure"))},
        "policy": {name: column(name.upper()) for name in ("selection", "units", "threshold")},
        **{name: noise(layout[name].shape, len(jobs), name) for name in ignored},
    })


def packet_words(packet: bytes, stream_bytes: int) -> list[int]:
    """Cut a packet into beats, each packed as `hw.streams.packet_guard.beat_layout`."""
    words = []
    for at in range(0, len(packet), stream_bytes):
        part = packet[at : at + stream_bytes]
        data, keep = int.from_bytes(part, "little"), (1 << len(part)) - 1
        is_last = at + stream_bytes >= len(packet)
        words.append(data | (keep | is_last << stream_bytes) << 8 * stream_bytes)
    return words


def matrix(rng: np.random.Generator, rows: int, k: int, nans: int = 0) -> NDArray[np.float32]:
    """Draw a matrix (rows, k) with blocks from 0 to 40 binades apart, zeros, and NaNs if asked."""
    shape = (rows, -(-k // 16))
    binade = np.where(rng.random(shape) < 0.6, rng.integers(-4, 1, shape),
                      rng.integers(-40, 1, shape))
    scale = np.where(rng.random(shape) < 0.05, 0, 2.0**binade)
    x = rng.standard_normal((rows, k)) * np.repeat(scale, 16, axis=1)[:, :k]
    x[rng.random(x.shape) < 0.05] = 0
    for row, column in zip(rng.integers(0, rows, nans), rng.integers(0, k, nans), strict=True):
        x[row, column] = np.nan
    return x.astype(np.float32)


def mixed(x: NDArray[np.float32], is_mx9: NDArray[np.bool_], axis: int = -1) -> MXTensor:
    """Quantize to MX9 the blocks that are marked, (lines, blocks) or (blocks,), else to MX6."""
    ordinary = quantize(x, MX6, axis)
    return mix(ordinary, quantize(x, MX9, axis), np.broadcast_to(is_mx9, ordinary.exponent.shape))


def bits(flags: NDArray[np.integer]) -> NDArray[np.int64]:
    """Gather flags along the last axis into integers, element 0 lowest."""
    return flags.astype(np.int64) @ (1 << np.arange(flags.shape[-1]))


def block_fields(tensor: MXTensor) -> dict[str, NDArray[Any]]:
    """Return a matrix as fields of an `MXBlock`, each (lines, blocks) or with elements."""
    return {
        "exponent": tensor.exponent, "microexponent": bits(tensor.microexponent),
        "sign": bits(tensor.sign), "base": tensor.base, "residual": tensor.residual,
    }


def beat_fields(tensor: MXTensor, residual: bool, drop_width: int) -> dict[str, NDArray[Any]]:
    """Return what a beat reads of each block of a matrix, as fields of `operand_layout`."""
    exponent = tensor.exponent.astype(np.int64)
    drop = beat_shift(anchors(tensor)[:, None] - exponent, 0, residual)
    return {
        "sign": bits(tensor.sign), "microexponent": bits(tensor.microexponent),
        "magnitude": tensor.residual if residual else tensor.base,
        "drop": np.minimum(drop, (1 << drop_width) - 1),
    }


def anchors(tensor: MXTensor) -> NDArray[np.int64]:
    """Return each line's largest biased exponent; 255 where it has a NaN block."""
    return tensor.exponent.max(axis=-1).astype(np.int64)


def pack_lanes(layout: Any, fields: Mapping[str, NDArray[Any]]) -> list[int]:
    """Pack one struct per lane side by side; the fields' shapes begin with (transfers, lanes)."""
    transfers, lanes = next(iter(fields.values())).shape[:2]
    words = drive.pack(layout, {key: value.reshape(transfers * lanes, *value.shape[2:])
                                for key, value in fields.items()})
    width = Shape.cast(layout).width
    return [sum(word << lane * width for lane, word in enumerate(words[at : at + lanes]))
            for at in range(0, len(words), lanes)]


def split_lanes(word: int, width: int, lanes: int) -> list[int]:
    """Cut a word into its lanes."""
    return [word >> lane * width & ((1 << width) - 1) for lane in range(lanes)]


class FaultWatch:
    """Follow what a loader says of its packets.

    Attributes
    ----------
    cycles : dict of str to int
        Cycles in which each fault was flagged.
    jobs : list of int
        The faults of each job that ended, as bits: 1 length, 2 tkeep.
    """

    def __init__(self, dut):
        self.dut, self.cycles, self.jobs = dut, {"bad_length": 0, "bad_keep": 0}, []

    async def follow(self):
        """Watch for ever."""
        while True:
            await drive.ticks(self.dut, 1)
            faults = int(self.dut.faults.value)
            self.cycles["bad_length"] += faults & 1
            self.cycles["bad_keep"] += faults >> 1
            if int(self.dut.job_faults__valid.value):
                self.jobs.append(int(self.dut.job_faults__payload.value))
