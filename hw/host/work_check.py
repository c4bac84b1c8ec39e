"""Whether the data of a work are those of its job; if not, it is refused before it is sent."""

import numpy as np

from golden import MX4, MX9, MXTensor
from golden.arguments import whole
from golden.formats import BLOCK_SIZE
from hw.contract.job_codes import FORMAT_CODES, JobKind, Output, Selection

from .job_request import Job
from .work import Work

_DTYPES = {"fp32": ("float32", "uint32"), "fp16": ("float16", "uint16"),
           "bf16": ("bfloat16", "uint16")}
_SIZES = ("m", "n", "k", "tiles", "table", "units", "threshold")
_CODES = {"kind": JobKind, "output": Output, "selection": Selection}


def check_work(work: Work) -> None:
    """See that the data fit the job. Whether the machine takes the job is the machine's to say.

    Raises
    ------
    TypeError
        If a part is of another type.
    ValueError
        If it has another shape than the job gives it, or is missing, or not asked for.
    """
    if not isinstance(work, Work):
        raise TypeError(f"works must be of hw.host.work.Work, not {type(work).__name__}")
    job = work.job
    _check_job(job)
    _check_activations(work)
    if job.converts:
        _check_absent(work.weights, "weights", "a conversion has none")
    else:
        check_tensor(work.weights, "the weights", (job.k, job.n), 0)
    k_blocks = -(-job.k // BLOCK_SIZE)
    _check_part(work.bias, "bias", job.bias, "bias", job.n)
    if work.bias is not None and work.bias.dtype != np.float32:
        raise TypeError(f"the bias must be of float32, not {work.bias.dtype.name}")
    for name, is_read, field, length in (
            ("order", job.reorder, "reorder", job.k),
            ("static_tags", job.selection is Selection.STATIC, "selection", k_blocks)):
        part = getattr(work, name)
        if part is not None:  # else the table holds it already
            _check_part(np.asarray(part), name, is_read, field, length)


def check_tensor(tensor: MXTensor, name: str, shape: tuple[int, int], axis: int) -> None:
    """See that a tensor is a matrix of this shape, whole, and blocked along this axis.

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    if not isinstance(tensor, MXTensor):
        raise TypeError(f"{name} must be an MXTensor, not {type(tensor).__name__}")
    if tensor.shape != shape or tensor.axis != axis:
        raise ValueError(f"{name} must have the shape {shape}, blocked along axis {axis}, not "
                         f"{tensor.shape} along {tensor.axis}")
    blocks = (shape[1 - axis], -(-shape[axis] // BLOCK_SIZE))
    is_mx9 = _plane(tensor, name, "is_mx9", blocks, np.dtype(bool))
    if tensor.format != "mixed" and np.any(is_mx9 != (tensor.format == MX9)):
        raise ValueError(f"{name} claims to be in {tensor.format.name}, but its is_mx9 differs")
    mantissas = np.where(is_mx9, 127, 3 if tensor.format == MX4 else 15)[..., None]
    for plane, more, largest in (
            ("exponent", (), 255), ("microexponent", (BLOCK_SIZE // 2,), 1),
            ("sign", (BLOCK_SIZE,), 1), ("mantissa", (BLOCK_SIZE,), mantissas)):
        codes = _plane(tensor, name, plane, blocks + more, np.dtype(np.uint8))
        if np.any(codes > largest):
            raise ValueError(f"{name} is broken: a {plane} is {codes[codes > largest].max()}")


def _plane(
    tensor: MXTensor, name: str, plane: str, shape: tuple[int, ...], dtype: np.dtype
) -> np.ndarray:
    found = getattr(tensor, plane)
    if not isinstance(found, np.ndarray) or found.shape != shape or found.dtype != dtype:
        raise ValueError(f"{name} is broken: its {plane} must be an array of {dtype.name} of shape "
                         f"{shape}")
    return found


def _check_job(job: Job) -> None:
    if not isinstance(job, Job):
        raise TypeError(f"the job of a work must be a Job, not {type(job).__name__}")
    for name, codes in _CODES.items():
        if not isinstance(getattr(job, name), codes):
            raise TypeError(f"a job's {name} must be of {codes.__name__}, not "
                            f"{getattr(job, name)!r}")
    if job.float_format not in FORMAT_CODES:
        raise ValueError(f"a job's float_format must be one of {', '.join(FORMAT_CODES)}, not "
                         f"{job.float_format!r}")
    for name in _SIZES:
        least = 1 if name in ("n", "k", "tiles") or (name == "m" and not job.converts) else 0
        if whole(getattr(job, name), f"a job's {name}", least) >= 1 << 32:
            raise ValueError(f"a job's {name} must fit 32 bits, not be {getattr(job, name)}")


def _check_activations(work: Work) -> None:
    job, activations = work.job, work.activations
    if job.kind is JobKind.GEMM_PACKED:
        check_tensor(activations, "the activations", (job.m, job.k), 1)
        return
    shape = {JobKind.GEMM: (job.m, job.k), JobKind.CONVERT: (job.n, job.k)}.get(
        job.kind, (job.k, job.n))
    if not isinstance(activations, np.ndarray):
        raise TypeError(f"the activations must be an array, not {type(activations).__name__}")
    if activations.shape != shape or activations.dtype.name not in _DTYPES[job.float_format]:
        raise ValueError(
            f"the activations must be of {' or '.join(_DTYPES[job.float_format])} and of shape "
            f"{shape} for their job, not of {activations.dtype.name} and {activations.shape}")


def _check_part(
    part: np.ndarray | None, name: str, is_read: bool, field: str, length: int
) -> None:
    """See that a vector is there if the job reads it, and only then."""
    if not is_read:
        _check_absent(part, name, f"its job reads none: see the job's {field}")
    elif part is None:
        raise ValueError(f"the work has no {name}, but its job reads one")
    elif not isinstance(part, np.ndarray) or part.shape != (length,):
        raise ValueError(f"the work's {name} must be an array of shape {(length,)}, not of "
                         f"{getattr(part, 'shape', type(part).__name__)}")


def _check_absent(part: object, name: str, reason: str) -> None:
    if part is not None:
        raise ValueError(f"the work has {name}, but {reason}")
