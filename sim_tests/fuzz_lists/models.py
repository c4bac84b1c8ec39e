"""The machines whose lists are fuzzed: those of the ring's benches, and an 8x8 one as it comes."""

import hashlib
from pathlib import Path

from hw.contract.config import Config
from sim_tests.memory.machines import MACHINES as OF_BENCHES
from sim_tests.memory.machines import VECTOR_MACHINES
from simulation import build as models

MACHINES: dict[str, Config] = {name.replace(" ", "_"): config
                               for name, config in OF_BENCHES.items()} | {
    "8x8": Config.sized(k_max=256, bus_bytes=32, drain_lanes=16)} | {
    name.replace(",", "").replace(" ", "_"): config for name, config in VECTOR_MACHINES.items()}


def digest(name: str) -> str:
    """Digest a machine's text: what a result is of."""
    return hashlib.sha256(models.emitted(MACHINES[name]).encode()).hexdigest()[:16]


def build(name: str) -> Path:
    """Build a machine by its name in `MACHINES`, unless that is done."""
    return models.build(MACHINES[name])
