"""Jobs from arrays: operands quantized, precisions and channel order asked for as in golden."""

import numpy as np
from numpy.typing import ArrayLike

import golden
from golden import MX6, MXTensor, Policy
from golden.arguments import array, is_bool
from golden.floats import widen
from golden.formats import BLOCK_SIZE
from golden.policy import check_policy
from hw.contract.config import DIMENSION_BITS, Config
from hw.contract.job_codes import JobKind, Output, Selection

from .job_request import Job
from .packet_order import resident_tiles
from .work import Work

_FORMATS = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}


def gemm_work(
    config: Config, a: ArrayLike | MXTensor, b: ArrayLike | MXTensor,
    bias: ArrayLike | None = None, policy: Policy | None = None, output: str = "fp32",
) -> Work:
    """Make a GEMM of arrays or tensors.

    Parameters
    ----------
    config : Config
    a, b, bias, policy, output
        As `hw.host.machine.Machine.gemm` has them; the bias in any format whose numbers FP32 has.
        The machine chooses the precision of 16 channels of a token tile (granularity
        "channel_block", `tile_rows` the rows of the array) by "top" in each tile (scope "tile"), by
        "threshold", or by "static" tags of the K-blocks.

    Raises
    ------
    TypeError, ValueError
        If the operands don't fit each other or the machine.
    """
    names = [each.name.lower() for each in config.outputs]
    if not isinstance(output, str) or (output := output.lower()) not in names:
        raise ValueError(f"output must be one of {', '.join(names)}, not {output!r}")
    if not isinstance(a, MXTensor):
        a = _floats(config, a, "A")
    elif policy is not None:
        raise ValueError("A is quantized already: a policy would change nothing")
    if not isinstance(b, MXTensor):
        b = _quantized(config, b, policy)
    m, k, n = *_matrix(a, "A"), _matrix(b, "B")[1]
    if b.shape[0] != k:
        raise ValueError(f"A has {k} columns, but B {b.shape[0]} rows")
    for tensor, name, axis in ((a, "A", 1), (b, "B", 0)):
        if isinstance(tensor, MXTensor) and tensor.axis % 2 != axis:
            raise ValueError(f"{name} must be blocked along K, its axis {axis}")
    _check_sizes(config, {"M": m, "N": n}, k)
    if bias is not None:
        bias = _bias(bias, n)
    shape = {"m": m, "n": n, "k": k, "tiles": resident_tiles(config, m, k),
             "output": Output[output.upper()], "bias": bias is not None}
    if isinstance(a, MXTensor):
        return Work(Job(kind=JobKind.GEMM_PACKED, **shape), a, b, bias)
    choices, data = _choices(policy, config.rows, k)
    job = Job(**shape, float_format=_FORMATS[a.dtype.name], **choices)
    return Work(job, a, b, bias, **data)


def conversion_work(
    config: Config, x: ArrayLike, transposed: bool = False, policy: Policy | None = None
) -> Work:
    """Make a conversion of floats to the B of a later GEMM.

    Parameters
    ----------
    config : Config
    x, transposed, policy
        As `hw.host.machine.Machine.convert` has them; `tile_rows` of the policy are the columns of
        the array.

    Raises
    ------
    TypeError, ValueError
        If the machine can't convert that.
    """
    if isinstance(x, MXTensor):
        raise TypeError("what is converted must be floats, not an MXTensor: that can be a B as it "
                        "is")
    if not is_bool(transposed):
        raise TypeError(f"transposed must be True or False, not {transposed!r}")
    if policy is not None:
        check_policy(policy)
    x = _floats(config, x, "what is converted")
    n, k = _matrix(x, "what is converted")[:: -1 if transposed else 1]
    _check_sizes(config, {"N": n}, k)
    if transposed and policy is not None and policy.order == "calibrated":
        raise ValueError("a transposed conversion can't put channels into an order")
    choices, data = _choices(policy, config.cols, k)
    kind = JobKind.CONVERT_TRANSPOSED if transposed else JobKind.CONVERT
    job = Job(kind=kind, n=n, k=k, float_format=_FORMATS[x.dtype.name], **choices)
    return Work(job, x, **data)


def _floats(config: Config, x: ArrayLike, name: str) -> np.ndarray:
    x = array(x, name)
    _check_float(x, name)
    float_format = _FORMATS[x.dtype.name]
    if float_format not in config.float_formats:
        raise ValueError(f"the machine reads {', '.join(config.float_formats)}, but {name} is "
                         f"{float_format}")
    return x


def _check_float(x: np.ndarray, name: str) -> None:
    if x.dtype.name not in _FORMATS:
        remedy = ("if these are patterns, widen them first with golden.floats.widen"
                  if x.dtype.kind == "u" else "convert it with astype first")
        raise TypeError(f"{name} must be of {', '.join(_FORMATS)}, not {x.dtype.name}: {remedy}")


def _bias(bias: ArrayLike, n: int) -> np.ndarray:
    """Return a bias as FP32."""
    bias = array(bias, "the bias")
    if bias.shape != (n,) or (bias.dtype.kind != "f" and bias.dtype.name not in _FORMATS):
        raise ValueError(f"the bias must be {n} floats, one for each column of B, not "
                         f"{bias.dtype.name} of shape {bias.shape}")
    if bias.dtype.name in _FORMATS:
        return widen(bias)
    with np.errstate(over="ignore"):
        narrow = bias.astype(np.float32)
    if not np.array_equal(narrow, bias, equal_nan=True):
        raise ValueError("the bias must fit FP32: round it with astype(numpy.float32)")
    return narrow


def _matrix(x: np.ndarray | MXTensor, name: str) -> tuple[int, int]:
    if len(x.shape) != 2 or 0 in x.shape:
        raise ValueError(f"{name} must be a matrix with elements, not of shape {tuple(x.shape)}")
    return tuple(x.shape)


def _check_sizes(config: Config, sizes: dict[str, int], k: int) -> None:
    if k > config.k_max:
        raise ValueError(f"K = {k} is over the machine's limit of {config.k_max}")
    for name, size in sizes.items():
        if size >= 1 << DIMENSION_BITS:
            raise ValueError(f"{name} = {size} is over the limit of {(1 << DIMENSION_BITS) - 1}")


def _quantized(config: Config, b: ArrayLike, policy: Policy | None) -> MXTensor:
    b = array(b, "B")
    _check_float(b, "B")
    blocks = -(-_matrix(b, "B")[0] // BLOCK_SIZE)
    none = np.zeros(blocks, np.bool_)
    return golden.quantize_weight(b, none, policy or Policy(weights=(MX6, MX6)))


def _choices(
    policy: Policy | None, tile_rows: int, k: int
) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    """Say in a job's terms what a policy asks for, and give what its table must hold."""
    blocks = -(-k // BLOCK_SIZE)
    if policy is None:
        return {"selection": Selection.HEAD, "units": 0}, {}
    check_policy(policy)
    if policy.granularity != "channel_block" or policy.tile_rows != tile_rows:
        raise ValueError(
            f"the machine tags 16 channels of {tile_rows} rows: give granularity 'channel_block' "
            f"and tile_rows={tile_rows}, not {policy.granularity!r} and {policy.tile_rows}")
    choices, data = {}, {}
    if policy.order == "calibrated":
        if len(policy.permutation) != k:
            raise ValueError(f"the permutation orders {len(policy.permutation)} channels, but "
                             f"there are {k}")
        choices["reorder"], data["order"] = True, policy.permutation
    units = policy.count(blocks)
    match policy.selection:
        case "top":
            if policy.scope != "tile":
                raise ValueError("the machine spends the fraction in each tile: give the policy "
                                 "scope='tile'")
            choices |= {"selection": Selection.TOP, "units": units}
        case "threshold":
            choices |= {"selection": Selection.THRESHOLD, "threshold": policy.threshold_pattern}
        case "static":
            tags = policy.static_tags
            if tags.shape != (blocks,):
                raise ValueError(f"static tags are {blocks} bools, one for each K-block, not of "
                                 f"shape {tags.shape}")
            if np.count_nonzero(tags) > units:
                raise ValueError(f"static_tags mark {np.count_nonzero(tags)} of {blocks} K-blocks, "
                                 f"but a fraction of {policy.fraction} allows {units}")
            choices["selection"], data["static_tags"] = Selection.STATIC, tags
    return choices, data
