"""What one GEMM job is, as it travels from the registers to every engine."""

from amaranth.lib import data, wiring
from amaranth.lib.wiring import Out
from amaranth.utils import bits_for

from .config import DIMENSION_BITS
from .outlier_policy import policy_layout
from .widen import FORMAT_BITS


def job_layout(config):
    """Describe C[m, n] = A[m, k] . B[k, n].

    ``k_blocks`` is ceil(k / 16); ``tiles`` token tiles of A are resident while all of B streams by
    once; ``float_format`` selects the format of A's elements; ``policy`` says which of A's blocks
    are MX9.
    """
    return data.StructLayout({
        "m": DIMENSION_BITS,
        "n": DIMENSION_BITS,
        "k": bits_for(config.k_max),
        "k_blocks": bits_for(config.k_blocks_max),
        "tiles": bits_for(config.tile_slots),
        "float_format": FORMAT_BITS,
        "policy": policy_layout(config.k_blocks_max),
    })


def report_signature(shape):
    """Describe what an engine says once per job, seen from the engine.

    There is no ready: the receiver keeps room for every job under way.
    """
    return wiring.Signature({"valid": Out(1), "payload": Out(shape)})
