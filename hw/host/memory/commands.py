"""Lists of commands for the ring: operands are handles, and waits follow from them."""

from collections.abc import Iterator

from golden.arguments import is_bool, whole
from golden.memory.descriptor import Command, JobFlag, Operation
from golden.memory.jobs import JobKind, Output
from hw.host.packet_order import resident_tiles

from .fences import Entry, Fences, touch
from .handle import Handle
from .job_fields import (
    batch_fields,
    check_fit,
    check_operand,
    check_sizes,
    checked_tiles,
)
from .matrix import Matrix
from .memory import Memory
from .packed import PackedActivations, PackedWeights, tile_bytes
from .quantizing import Quantizing
from .selection import Choice
from .side import Biases, Order, Tags, Word
from .stages import Stages

NO_STAGES = Stages()


class Commands:
    """Build a list of commands, which a `RingHost` runs as often as it is asked to.

    What a command reads of an earlier one's results it waits for; nobody has to say so.

    All commands take these keywords:

    interrupt : bool
        Interrupt when the command has ended. The host asks by itself for those that it needs.
    notify : bool
        Write the count of ended commands to the host's `notify_word`.
    goes_on : bool
        A fault of the command does not stop the list, and nobody tells: its results may hold
        anything then.

    Parameters
    ----------
    memory : Memory
        Where all operands lie.
    """

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.entries: list[Entry] = []
        self._fences = Fences()
        self._loads = 0

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Command]:
        return (entry.command for entry in self.entries)

    def gemm(
        self, a: Matrix | PackedActivations, b: PackedWeights, c: Matrix | PackedActivations, *,
        bias: Biases | None = None, tiles: int | None = None, selection: Choice | None = None,
        order: Order | None = None, tags: Tags | None = None, measure: bool = False,
        stages: Stages | None = None, **ends: bool,
    ) -> None:
        """Compute C = A·B + bias for each matrix of C, in the format of C.

        Parameters
        ----------
        a : Matrix or PackedActivations, shape (..., M, K)
        b : PackedWeights, shape (..., K, N)
        c : Matrix or PackedActivations, shape (..., M, N)
            From `Memory.empty`. Its batch dimensions are the command's; an operand that lacks one
            of them, or has a 1 there, is shared.
        bias : Biases, shape (..., N), optional
        tiles : int, optional
            Token tiles of A that stay on chip while B is read once; half of what fits by default.
        selection : Choice, optional
            Which K-blocks of numbers are MX9: `top`, `above` or `every`; by default none.
        order : Order, shape (K,), optional
            In which the channels of numbers are put first.
        tags : Tags, shape (K-blocks,), optional
            Which K-blocks of numbers are MX9, instead of a selection.
        measure : bool
            Record each channel's largest magnitude; see `RingHost.channel_maxima`.
        stages : Stages, optional
            What the results go through, of a machine with a vector unit.
        **ends : bool
            See the class.

        Raises
        ------
        TypeError, ValueError
            If operands do not fit each other, the machine or a descriptor, lie in another memory,
            were freed, or lie where the results go.
        """
        config = self.memory.config
        for name, operand, kinds in (("A", a, (Matrix, PackedActivations)),
                                     ("B", b, (PackedWeights,)),
                                     ("C", c, (Matrix, PackedActivations))):
            check_operand(self.memory, name, operand, *kinds)
        (m, k), n = a.shape[-2:], b.shape[-1]
        for name, operand, shape in (("B", b, (k, n)), ("C", c, (m, n))):
            if operand.shape[-2:] != shape:
                raise ValueError(f"{name} must be a matrix {shape} for an A of {(m, k)}"
                                 f"{'' if name == 'B' else f' and a B of {(k, n)}'}, not "
                                 f"{operand.shape[-2:]}")
        check_sizes(config, k, m=m, n=n)
        output = self._output(c)
        self._check_bias(bias, n)
        tiles = resident_tiles(config, m, k) if tiles is None else checked_tiles(config, tiles, k)
        fields = {"m": m, "n": n, "k": k, "tiles": tiles, "output": output.value,
                  "a_stride": a.stride, "b_stride": b.stride, "b": b.address}
        how = Quantizing(selection=selection, order=order, tags=tags, measure=measure)
        kind, side = JobKind.GEMM, how.side
        if isinstance(a, PackedActivations):
            how.check_absent()
            kind = JobKind.GEMM_PACKED
        else:
            fields |= how.fields(self.memory, a, k, self._table)
        stages = stages or NO_STAGES
        self._check_stages(stages, isinstance(a, PackedActivations), tags, c)
        if stages is not NO_STAGES:
            fields = _together(fields, stages.fields(self.memory, (m, n), self._table))
        if bias is not None:
            fields = _together(fields, {"bias": bias.address, "flags": JobFlag.BIAS})
            side = side | {"the bias": bias}
        fields |= batch_fields(c, a=a, b=b, bias=bias, **stages.beside) | {"kind": kind.value}
        self._add(fields, {"A": a}, {"B": b}, side | stages.side, c, ends, stages.residual)

    def vector(
        self, a: Matrix, c: Matrix | PackedActivations, *, stages: Stages,
        bias: Biases | None = None, selection: Choice | None = None, tags: Tags | None = None,
        **ends: bool,
    ) -> None:
        """Send every row of A through stages, for each matrix of C, in the format of C.

        Parameters
        ----------
        a : Matrix, shape (..., M, N)
        c : Matrix or PackedActivations, shape (..., M, N)
            From `Memory.empty`; "mixed" if some blocks may be MX9 and others not.
        stages : Stages
        bias : Biases, shape (..., N), optional
            Added first; not where rows are measured.
        selection : Choice, optional
            Which blocks of packed results are MX9; by default none.
        tags : Tags, shape (ceil(N / 16),), optional
            The same, instead of a selection.
        **ends : bool
            See the class.

        Raises
        ------
        TypeError, ValueError
            As `gemm` does.
        """
        for name, operand, kinds in (("A", a, (Matrix,)), ("C", c, (Matrix, PackedActivations))):
            check_operand(self.memory, name, operand, *kinds)
        if not isinstance(stages, Stages):
            raise TypeError(f"stages must be Stages, not {type(stages).__name__}")
        m, n = a.shape[-2:]
        if c.shape[-2:] != (m, n):
            raise ValueError(f"C must be a matrix {(m, n)}, as A is, not {c.shape[-2:]}")
        check_sizes(self.memory.config, n, m=m, n=n)
        self._check_bias(bias, n)
        if bias is not None and stages.rows is not None:
            raise ValueError("rows are measured as they are read: there is no bias before that")
        if stages.rows == "sum" or stages.tags is not None:
            raise ValueError("the sums of packed rows, and tags of results, are those of a GEMM: "
                             "a pass takes tags by itself")
        fields = stages.fields(self.memory, (m, n), self._table)
        how, side = Quantizing(selection=selection, tags=tags), stages.side
        if isinstance(c, PackedActivations) and c.mx_format != "mx9":
            quantizing = how.fields(self.memory, a, n, self._table)
            if c.mx_format == "mx6" and not how.is_all_mx6:
                raise ValueError('C has no room for blocks in MX9: make it with empty(shape, '
                                 '"mixed")')
            fields, side = _together(quantizing, fields), side | how.side
        elif selection is not None or tags is not None:
            raise ValueError("there are no blocks to choose among: C is numbers, or all of it MX9")
        else:
            fields = _together(fields, how.fields(self.memory, a, n, self._table))
            for name in ("selection", "units", "threshold"):
                fields.pop(name)
        if bias is not None:
            fields = _together(fields, {"bias": bias.address, "flags": JobFlag.BIAS})
            side = side | {"the bias": bias}
        fields |= {"operation": Operation.VECTOR.value, "m": m, "n": n, "a_stride": a.stride,
                   "output": self._output(c).value}
        fields |= batch_fields(c, a=a, bias=bias, **stages.beside)
        self._add(fields, {"A": a}, {}, side, c, ends, stages.residual)

    def convert(
        self, x: Matrix, w: PackedWeights, *, selection: Choice | None = None,
        order: Order | None = None, tags: Tags | None = None, measure: bool = False,
        **ends: bool,
    ) -> None:
        """Make numbers the B of a later GEMM: row j becomes column j.

        Parameters
        ----------
        x : Matrix, shape (..., N, K)
        w : PackedWeights, shape (..., K, N)
            From `Memory.empty_weights`.
        selection, order, tags, measure, **ends
            As of `gemm`; what is chosen are K-blocks of column tiles.

        Raises
        ------
        TypeError, ValueError
            As `gemm` does.
        """
        self._convert(JobKind.CONVERT, x, w, Quantizing(
            selection=selection, order=order, tags=tags, measure=measure), ends)

    def convert_transposed(
        self, x: Matrix, w: PackedWeights, *, selection: Choice | None = None,
        tags: Tags | None = None, **ends: bool,
    ) -> None:
        """Make numbers of shape (..., K, N) the B of a later GEMM; all else as `convert` does."""
        self._convert(JobKind.CONVERT_TRANSPOSED, x, w,
                      Quantizing(selection=selection, tags=tags), ends)

    def wait(self, word: Word, count: int, **ends: bool) -> None:
        """Hold all later commands until a word has come to a count, modulo 2^32.

        Parameters
        ----------
        word : Word
            Written by the host or by another machine.
        count : int
            Less than 2^31 ahead of the word.
        """
        check_operand(self.memory, "the word", word, Word)
        sequence = whole(count, "count", least=0) % (1 << 32)
        self._append(Entry(command=Command(operation=Operation.WAIT, a=word.address,
                                           sequence=sequence, **_end_fields(ends)),
                           handles={"the word": word}))

    @property
    def _table(self) -> int:
        """The next table that is loaded, in turn: the job before may still read its own."""
        return self._loads % self.memory.config.tables

    def _check_bias(self, bias: Biases | None, n: int) -> None:
        if bias is None:
            return
        check_operand(self.memory, "the bias", bias, Biases)
        if bias.shape[-1] != n:
            raise ValueError(f"the bias must have {n} numbers, one for each column of B, not "
                             f"{bias.shape[-1]}")

    def _check_stages(self, stages: Stages, is_packed: bool, tags: Tags | None,
                      c: Matrix | PackedActivations) -> None:
        """Refuse stages that a GEMM does not have."""
        if not isinstance(stages, Stages):
            raise TypeError(f"stages must be Stages, not {type(stages).__name__}")
        if stages.rows not in (None, "sum") or (stages.rows == "sum" and not is_packed):
            raise ValueError(f"results are not measured by {stages.rows}: that is for a pass, and "
                             "sum for packed activations")
        name = getattr(c, "mx_format", None)
        if (stages.tags is not None) != (name == "mixed"):
            raise ValueError('blocks of results are MX9 by tags where C is "mixed", and only there')
        if stages.tags is not None and tags is not None:
            raise ValueError("a command has one table: tags of A or tags of results")

    def _convert(self, kind: JobKind, x: Matrix, w: PackedWeights, how: Quantizing,
                 ends: dict[str, bool]) -> None:
        check_operand(self.memory, "what is converted", x, Matrix)
        check_operand(self.memory, "the weights", w, PackedWeights)
        k, n = w.shape[-2:]
        shape = (n, k) if kind is JobKind.CONVERT else (k, n)
        if x.shape[-2:] != shape:
            raise ValueError(f"what becomes weights of {(k, n)} must be a matrix {shape}, not "
                             f"{x.shape[-2:]}")
        check_sizes(self.memory.config, k, n=n)
        fields = {"n": n, "k": k, "a_stride": x.stride} | how.fields(
            self.memory, x, k, self._table)
        longest = tile_bytes(min(n, w.of_tile), k, w.beat_bytes, has_residuals=not how.is_all_mx6)
        if w.stride < longest:
            raise ValueError(f"tiles of up to {longest} bytes need more room than the weights' "
                             f"stride of {w.stride}: make it with empty_weights")
        fields |= batch_fields(w, a=x) | {"kind": kind.value}
        self._add(fields, {"what is converted": x}, {}, how.side, w, ends)

    def _output(self, c: Matrix | PackedActivations) -> Output:
        """Return the output whose format the results have."""
        name = c.float_format if isinstance(c, Matrix) else c.mx_format
        name = Output.MX6.name.lower() if name == "mixed" else name
        outputs = {each.name.lower(): each for each in self.memory.config.outputs}
        if name not in outputs:
            raise ValueError(f"the machine's results are in {', '.join(outputs)}, not in {name}: "
                             "make room for them with empty")
        return outputs[name]

    def _add(
        self, fields: dict[str, int], a: dict[str, Handle], b: dict[str, Handle],
        side: dict[str, Handle], c: Matrix | PackedActivations | PackedWeights,
        ends: dict[str, bool], residual: Handle | None = None,
    ) -> None:
        """Append a job, with what it has to wait for."""
        a_handle, = a.values()
        fields |= {"a": a_handle.address, "c": c.address, "c_stride": c.stride}
        check_fit(fields)
        beside = {} if residual is None else {"the residual": residual}
        waits = {"wait_a": a, "wait_b": b, "wait_side": side, "wait_residual": beside}
        reads = {name: [(each.block, each.region()) for each in handles.values()]
                 for name, handles in waits.items() if handles or name != "wait_residual"}
        writes, handles = (c.block, c.region()), a | b | side | beside
        for name, handle in handles.items():
            if touch((handle.block, handle.region()), writes):
                raise ValueError(f"the results would overwrite {name} while it is read: give them "
                                 "a place of their own")
        command = Command(**fields, **self._fences.distances(reads), **_end_fields(ends))
        self._append(Entry(command=command, reads=reads, writes=writes,
                           handles=handles | {"C": c}))
        self._loads += bool(command.loads_order or command.loads_tags)

    def _append(self, entry: Entry) -> None:
        self._fences.note(entry.writes)
        self.entries.append(entry)


def _together(fields: dict[str, int], more: dict[str, int]) -> dict[str, int]:
    """Return the fields of both; flags are those of both."""
    return fields | more | {"flags": fields.get("flags", 0) | more.get("flags", 0)}


def _end_fields(ends: dict[str, bool]) -> dict[str, int]:
    """Return the fields of what happens when a command ends."""
    for name in ends:
        if name not in ("interrupt", "notify", "goes_on"):
            raise TypeError(f"a command has no {name!r}; it has interrupt, notify and goes_on")
    for name, value in ends.items():
        if not is_bool(value):
            raise TypeError(f"{name} must be True or False, not {value!r}")
    return {name: int(value) for name, value in ends.items()}
