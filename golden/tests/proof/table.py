"""What has which second formulation: all public functions of golden, each swept or tested."""

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

import golden
from golden import vector
from golden.tests.proof import (
    blocks,
    choices,
    floats,
    packets,
    sums,
    twins,
    vector_functions,
    vector_rows,
)
from golden.tests.proof.sweep import Sweep

SWEEPS: tuple[Sweep, ...] = (
    *floats.SWEEPS, *blocks.SWEEPS, *sums.SWEEPS, *choices.SWEEPS, *packets.SWEEPS,
    *vector_functions.SWEEPS, *vector_rows.SWEEPS, *twins.SWEEPS,
)  # fmt: skip

ARGUMENTS = "test_arguments.py: every kind of number and array, and a sentence for the others"
FITTED = "test_vector_tables.py: the tables made again; definitions beside Python's math"
FILES = "test_storage.py: what was saved comes back; broken files are refused or read whole"
SENTENCES = "test_mx.py, test_policy.py: a sentence for what does not exist"

TESTED = {
    "encode.spans": "swept with `encode.encode`: a chunk that lacks or doubles a block shows",
    "mx.MXTensor.format_name": "test_arguments.py: a tensor prints in one line",
    "mx.MXTensor.mx9_share": "test_policy.py: the mean of `is_mx9`",
    "mx.MXTensor.nan_blocks": "test_mx.py: counted by hand",
    "mx.mx_format": SENTENCES,
    "mx.check_axis": SENTENCES,
    "mx.check_rounding": SENTENCES,
    "floats.float_bits": "test_floats.py, " + ARGUMENTS,
    "floats.float_format_of": ARGUMENTS,
    "formats.MXFormat.bits_per_element": "test_proof.py: Rouhani et al.'s 9, 6 and 4 bits",
    "formats.MXFormat.block_bits": "test_proof.py: Rouhani et al.'s 9, 6 and 4 bits",
    "formats.MXFormat.largest_mantissa": "swept with `encode.encode`, which saturates there",
    "formats.FloatFormat.bias": "swept with `floats.widen`",
    "formats.FloatFormat.width": "test_arguments.py: patterns of another width are refused",
    "vector.lane.pack": "swept with `vector.exponential.exp2` and `vector.reciprocal.reciprocal`",
    "policy.check_policy": SENTENCES,
    "units.check_granularity": SENTENCES,
    "units.check_tile_rows": SENTENCES,
    "planes.check_codes": FILES,
    "storage.save": FILES,
    "storage.load": FILES,
    "storage.permissions": FILES,
    "description.is_description": FILES,
    "description.parse": FILES,
    "description.Description.of": FILES,
    "description.Description.read": FILES,
    "description.Description.lead": FILES,
    "description.Description.units": FILES,
    "description.Description.text": FILES,
    **{f"arguments.{name}": ARGUMENTS for name in (
        "whole", "real", "array", "integers", "flags", "channel_order", "read_only", "is_bool",
        "is_tensor")},
    **{f"vector.fit.{name}": FITTED for name in (
        "fit", "text", "main", "gelu_gate", "logistic", "root_of_two_binades")},
}  # fmt: skip
"""What is not swept: functions without arithmetic, and parts of what is."""

NOT_NUMBERS = {"bench"}
"""Modules that compute nothing that anybody uses: they take times."""


def modules() -> Iterator[ModuleType]:
    """Give golden's own modules."""
    for package in (golden, vector):
        for found in pkgutil.iter_modules(package.__path__):
            if not found.ispkg and found.name not in NOT_NUMBERS:
                yield import_module(f"{package.__name__}.{found.name}")


def public() -> set[str]:
    """Name all public functions, methods and properties, as ``module.name``."""
    found = set()
    for module in modules():
        short = module.__name__.removeprefix("golden.")
        for name, value in vars(module).items():
            if name.startswith("_") or getattr(value, "__module__", "") != module.__name__:
                continue
            if inspect.isfunction(value):
                found.add(f"{short}.{name}")
            elif inspect.isclass(value):
                found |= {f"{short}.{name}.{member}" for member, each in vars(value).items()
                          if not member.startswith("_") and is_code(each)}  # fmt: skip
    return found


def is_code(member: object) -> bool:
    """Tell whether a member of a class computes something."""
    return inspect.isfunction(member) or isinstance(member, property | classmethod | staticmethod)


def swept() -> set[str]:
    """Name what the sweeps compare, classes with all that they have."""
    named = {name for sweep in SWEEPS for name in sweep.functions}
    return named | {name for name in public() if name.rpartition(".")[0] in named}
