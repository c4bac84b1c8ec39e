"""The fields of a job's descriptor from its operands, checked as far as software can tell."""

from golden.arguments import whole
from golden.formats import BLOCK_SIZE
from golden.memory.descriptor import FIELD
from golden.memory.jobs import Selection
from hw.contract.config import Config

from .handle import Batched
from .memory import Memory
from .selection import Choice


def batch_fields(c: Batched, **operands: Batched | None) -> dict[str, int]:
    """Return counts and steps of a command whose results have these batch dimensions.

    Parameters
    ----------
    c : Batched
        The results: one iteration for each of their matrices.
    **operands : Batched or None
        Each has the same batch dimensions, counted from the last; a dimension that it lacks, or
        that is 1, shares it.

    Raises
    ------
    ValueError
        If dimensions do not fit.
    """
    fields = {}
    for level in (0, 1):
        fields[f"count_{level}"] = c.batch[-1 - level] if level < len(c.batch) else 1
    for name, operand in ({"c": c} | operands).items():
        if operand is None:
            continue
        batch = operand.batch
        if len(batch) > len(c.batch) or any(
                size not in (1, of_c) for size, of_c in zip(batch[::-1], c.batch[::-1],
                                                            strict=False)):
            raise ValueError(f"{name.upper()} has the batch dimensions {batch}, but C {c.batch}: "
                             "they must be the same, counted from the last, or 1, or left out")
        for level, (size, step) in enumerate(zip(batch[::-1], operand.steps[::-1], strict=True)):
            fields[f"{name}_step_{level}"] = step if size > 1 else 0
    return fields


def check_operand(memory: Memory, name: str, operand: object, *kinds: type) -> None:
    """Refuse what is no handle of some kinds, of another memory, or freed.

    Raises
    ------
    TypeError, ValueError
    """
    if not isinstance(operand, kinds):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise TypeError(f"{name} must be a {wanted} in memory, not a {type(operand).__name__}: "
                        "place it, or make room for it")
    if operand.store is not memory:
        raise ValueError(f"{name}, at {operand.address:#x}, lies in another memory than the "
                         "commands work on")
    operand.check_live(name)


def check_sizes(config: Config, k: int, **lines: int) -> None:
    """Refuse a K, and an M or N, that the machine does not have.

    Raises
    ------
    ValueError
    """
    if k > config.k_max:
        raise ValueError(f"K = {k} is over the machine's limit of {config.k_max}")
    for name, count in lines.items():
        if count >> FIELD[name.upper()].width:
            raise ValueError(f"{name.upper()} = {count} does not fit into its "
                             f"{FIELD[name.upper()].width} bits")


def check_fit(fields: dict[str, int]) -> None:
    """Refuse counts, strides and steps that do not fit into a descriptor.

    Raises
    ------
    ValueError
    """
    for name, value in fields.items():
        if value >> FIELD[name.upper()].width:
            raise ValueError(f"{name} = {value} does not fit into the {FIELD[name.upper()].width} "
                             "bits of its field: cut the command into several")


def checked_tiles(config: Config, tiles: int, k: int) -> int:
    """Return a number of resident token tiles that the machine takes.

    Raises
    ------
    TypeError, ValueError
    """
    tiles, blocks = whole(tiles, "tiles", least=1), -(-k // BLOCK_SIZE)
    most = min(config.tile_slots, config.act_depth // blocks)
    if tiles > most:
        raise ValueError(f"of {blocks} K-blocks the machine keeps 1 to {most} token tiles on chip, "
                         f"not {tiles}")
    return tiles


def check_choice(choice: Choice, k: int) -> None:
    """Refuse more K-blocks than there are.

    Raises
    ------
    TypeError, ValueError
    """
    if not isinstance(choice, Choice):
        raise TypeError("selection must be one of hw.host.memory.top, above and every, not "
                        f"{choice!r}")
    if choice.selection is Selection.STATIC:
        raise ValueError("static selection is asked for by giving tags")
    blocks = -(-k // BLOCK_SIZE)
    if choice.selection is Selection.TOP and choice.units > blocks:
        raise ValueError(f"{choice.units} K-blocks are to be MX9, but K = {k} has {blocks}")
