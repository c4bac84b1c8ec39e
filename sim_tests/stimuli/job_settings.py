"""Job registers, good and bad, and the rules of `hw.registers.job_rules` in plain Python."""

from dataclasses import dataclass

import numpy as np

from hw.contract.config import Config
from hw.contract.job_codes import FORMAT_CODES, JobKind, Selection
from hw.registers.codes import JobFlag, Refusal
from hw.registers.job_rules import CHECKS, USE
from sim_tests.stimuli import pass_settings
from sim_tests.stimuli.pass_settings import NOTHING, PASS, Asked

SETTINGS = ("kind", "m", "n", "k", "tiles", "format", "output", "flags", "table", "selection",
            "units", "threshold")

OF_THE_MACHINE = (Refusal.DRAINING, Refusal.QUEUE_FULL)
"""Refusals that have nothing to do with what the registers say."""

OF_STAGES = (Refusal.UNKNOWN_FUNCTION, Refusal.UNKNOWN_ROWS, Refusal.BAD_SCALAR)
"""Refusals of what machines without a vector unit cannot be asked for."""

CORNERS = (0, 1, *(1 << bit for bit in range(32)), *((1 << bit) - 1 for bit in range(2, 33)),
           0x7F800000, 0x7F800001, 0x80000001, 0xFF800000)
"""Values that a machine which looks at too few bits, or at too many, takes for others."""


@dataclass(frozen=True)
class Loaded:
    """What a table holds: the channel at each place of its order, and how many tags."""

    order: tuple[int, ...] = ()
    tags: int = 0

    @property
    def is_double(self) -> bool:
        """Whether a channel came twice."""
        return len(set(self.order)) < len(self.order)

    @property
    def is_whole(self) -> bool:
        """Whether the order is a permutation of its channels."""
        return bool(self.order) and sorted(self.order) == list(range(len(self.order)))


def draw(rng: np.random.Generator, config: Config) -> dict[str, int]:
    """Draw registers that mostly hold something sensible, often at a border."""
    def at_border(limit: int) -> int:
        near = (max(0, limit - 1), limit, limit + 1)
        return int(rng.choice([0, 1, *near, 1 << 16, limit | 1 << 20]))

    k = int(rng.integers(1, config.k_max + 1)) if rng.random() < 0.8 else at_border(config.k_max)
    blocks = -(-k // 16)
    most = max(1, min(config.tile_slots, config.act_depth // max(1, blocks)))
    values = {
        "kind": int(rng.integers(4)), "m": int(rng.integers(1, 100)),
        "n": int(rng.integers(1, 100)), "k": k,
        "tiles": int(rng.integers(1, most + 1)) if rng.random() < 0.7 else at_border(most),
        "format": int(rng.integers(3)), "output": int(rng.integers(5)) * int(rng.integers(2)),
        "flags": int(rng.integers(8)) * int(rng.integers(2)),
        "table": int(rng.integers(config.tables)), "selection": int(rng.integers(4)),
        "units": int(rng.integers(2)) if rng.random() < 0.7 else at_border(blocks),
        "threshold": int(rng.integers(1 << 32 if rng.random() < 0.2 else 1 << 30)),
    }
    if rng.random() < 0.5:
        name = str(rng.choice(SETTINGS))
        values[name] = int(rng.choice([0, 4, 5, 8, config.tables, values[name] | 1 << 31,
                                       values[name] | 1 << 8, values[name] | 1 << 16]))
    if rng.random() < 0.2:
        values[str(rng.choice(SETTINGS))] = int(rng.choice(CORNERS))
    return values


def expected(config: Config, job: dict[str, int], loaded: Loaded, loads: bool = False,
             asked: Asked = NOTHING) -> Refusal:
    """Say why a job is refused: the first check of `hw.registers.job_rules` that it fails.

    Parameters
    ----------
    config : Config
    job : dict of str to int
        By `SETTINGS`.
    loaded : Loaded
        The job's table.
    loads : bool
        It will be loaded, whether the job looks at it or not.
    asked : Asked
        What a vector unit is to do for it.
    """
    return next((code for code in CHECKS if code not in OF_THE_MACHINE
                 and (_fails(config, job, loaded, loads, code)
                      or (config.vector_lanes
                          and pass_settings.fails(config, job, asked, loaded.tags, code)))),
                Refusal.NONE)


def looks_at(job: dict[str, int], name: str) -> bool:
    """Tell whether a job looks at a register or a flag."""
    if job["kind"] == PASS:
        return pass_settings.looks_at(job, name)
    use = USE[name]
    if JobKind(job["kind"]) not in use.kinds:
        return False
    conditions = [job["selection"] == selection.value for selection in use.selections]
    if use.flag:
        conditions.append(bool(job["flags"] & use.flag))
    return any(conditions) or not conditions


def _fails(config: Config, job: dict[str, int], loaded: Loaded, loads: bool,
           code: Refusal) -> bool:
    """Tell whether a job fails a check; it has passed those before."""
    blocks = -(-job["k"] // 16)
    match code:
        case Refusal.UNKNOWN_KIND:
            kinds = [kind.value for kind in JobKind]
            return job["kind"] not in ([*kinds, PASS] if config.vector_lanes else kinds)
        case Refusal.BAD_COMBINATION if job["kind"] != PASS:
            held = {"OUTPUT": job["output"]} | {flag.name: job["flags"] & flag for flag in JobFlag}
            known = sum(JobFlag) + bool(config.vector_lanes) * sum(pass_settings.STAGE_FLAGS)
            return job["flags"] > known or any(
                value and USE[name].others_zero and not looks_at(job, name)
                for name, value in held.items())
        case Refusal.ZERO_SIZE:
            return any(job[name] == 0 for name in ("m", "n", "k") if looks_at(job, name.upper()))
        case Refusal.K_TOO_LARGE:
            return job["k"] > config.k_max
        case Refusal.TILES_OUT_OF_RANGE:
            return looks_at(job, "TILES") and (not 1 <= job["tiles"] <= config.tile_slots
                                                or job["tiles"] * blocks > config.act_depth)
        case Refusal.UNKNOWN_FORMAT:
            formats = [FORMAT_CODES[name] for name in config.float_formats]
            return looks_at(job, "FORMAT") and job["format"] not in formats
        case Refusal.UNKNOWN_OUTPUT:
            return looks_at(job, "OUTPUT") and (
                job["output"] not in [output.value for output in config.outputs])
        case Refusal.UNKNOWN_SELECTION:
            return looks_at(job, "SELECTION") and (
                job["selection"] not in [selection.value for selection in Selection])
        case Refusal.TOO_MANY_UNITS:
            most = 1 if job["selection"] == Selection.HEAD.value else blocks
            return looks_at(job, "UNITS") and job["units"] > most
        case Refusal.BAD_THRESHOLD:
            value = np.uint32(job["threshold"]).view(np.float32)
            return looks_at(job, "THRESHOLD") and bool(np.isnan(value) or np.signbit(value))
        case Refusal.UNKNOWN_TABLE:
            return (loads or looks_at(job, "TABLE")) and job["table"] >= config.tables
        case Refusal.ORDER_DOUBLE:
            return bool(job["flags"] & JobFlag.REORDER) and loaded.is_double
        case Refusal.ORDER_INCOMPLETE:
            return bool(job["flags"] & JobFlag.REORDER) and not (
                loaded.is_whole and len(loaded.order) == job["k"])
        case Refusal.TAGS_INCOMPLETE:
            reads_tags = job["selection"] == Selection.STATIC.value and looks_at(job, "TABLE")
            return reads_tags and loaded.tags != blocks
