"""Lists of commands, with operands laid out in golden's memory."""

import numpy as np

from golden.memory import Command, Machine, Memory, Ring
from golden.memory.descriptor import ALIGNMENT, BYTES, JobFlag, Operation
from golden.memory.jobs import FORMAT_CODES, Function, JobKind, Output, Rows, Selection
from golden.memory.layouts import longest_packet
from golden.packing import activation_tiles, weight_stream
from golden.vector.statistics import scaled_epsilon
from sim_tests.stimuli.operands import configuration, matrix, mixed

SIZE, ADDRESS_BITS = 1 << 19, 40

LAST = (1 << ADDRESS_BITS) - SIZE
"""Highest address of the memory's first byte."""

RINGS = (16, 32, 64, 256)
"""Descriptors."""

SPOILT = {
    "kind": (0, 1, 2, 3, 4, 255), "m": (0, 1), "n": (0, 1), "k": (0, 1, 256, 257, 65535),
    "tiles": (0, 1, 32, 33, 65535), "format": (0, 1, 2, 3, 255), "output": (0, 1, 3, 4, 5, 255),
    "flags": (0, 1, 2, 4, 8, 255), "selection": (0, 1, 2, 3, 4, 255), "units": (0, 1, 2, 3, 99),
    "threshold": (0, 0x7F800000, 0x7F800001, 1 << 31), "table": (0, 1, 2, 255),
    "a_stride": (0, 64, 100), "b_stride": (0, 64, 128), "c_stride": (0, 4),
    "a_step_0": (0, 64), "b_step_1": (1, 64), "count_0": (0, 1, 2), "count_1": (0, 1, 3),
    "bias": (0, 2, 1 << 40), "wait_a": (1, 255), "version": (0, 1, 2), "operation": (0, 1, 255),
    "goes_on": (0, 1), "interrupt": (0, 1)}
"""Values that a field may have in a list that somebody got wrong, and some that are good."""

SPOILT_STAGES = {
    "function": (0, 1, 2, 3, 4, 255), "rows": (0, 1, 2, 3, 4, 5, 255),
    "scalar": (0, 0x3F800000, 0x7F800000, 0x007FFFFF, 0x80800000),
    "flags": (0, 1, 8, 16, 32, 48, 64, 113, 128, 255), "operation": (0, 1, 2, 3, 255),
    "channel": (0, 2, 1 << 40), "residual": (0, 1, 1 << 40), "residual_stride": (0, 2, 64),
    "channel_step_0": (0, 4, 6), "residual_step_1": (0, 4, 7), "wait_residual": (0, 1, 255)}
"""The same of fields of machines with a vector unit."""


def machine_of(config):
    """Say to golden what was built."""
    return Machine(
        **{name: getattr(config, name) for name in (
            "rows", "cols", "act_bytes", "weight_bytes", "acc_width", "k_max", "act_depth",
            "tile_slots", "tables", "rounding", "float_formats")},
        outputs=tuple(config.outputs), has_vector=bool(config.vector_lanes))


class Lists:
    """Lay operands out in golden's memory, and collect commands.

    The ring is at the beginning; whatever nobody owns holds a canary.

    Attributes
    ----------
    base : int
        Address of the memory's first byte.
    window : (int, int) or None
        That the ring and the machine are given.
    """

    def __init__(self, rng, *, base=None, window=None, notify=False, config=None):
        self.rng, self.config = rng, config or configuration()
        self.memory = Memory()
        self.base = int(rng.integers(LAST + 1)) // ALIGNMENT * ALIGNMENT if base is None else base
        self.data = self.memory.add(self.base, SIZE)
        size = int(rng.choice(RINGS))
        self.free, self.commands = self.base + size * BYTES, []
        place = self.room(4, 4) if notify else 0
        self.window = window and tuple(self.base + each for each in window)
        self.ring = Ring(machine_of(self.config), self.memory, self.base, size,
                         window=self.window, notify_address=place)

    def room(self, size, unit=64):
        """Return an address of so many bytes: any multiple of the unit, with some room beside."""
        skipped = int(self.rng.integers(1, 64 // unit + 1)) * unit
        at = -(-self.free // 64) * 64 + skipped
        self.free = at + size + 64
        assert self.free < self.base + SIZE
        return at

    def rows(self, array, unit):
        """Place rows at a stride; return address and stride."""
        size = array.itemsize * array.shape[1]
        stride = -(-size // unit) * unit + unit * int(self.rng.integers(0, 9))
        at = self.room(stride * len(array), unit)
        for number, row in enumerate(array):
            self.memory.write(at + number * stride, row.tobytes())
        return at, stride

    def tiles(self, packets):
        stride = -(-max(map(len, packets)) // 64) * 64
        at = self.room(stride * len(packets))
        for number, packet in enumerate(packets):
            self.memory.write(at + number * stride, packet)
        return at, stride

    def gemm(self, m, n, k, *, kind=JobKind.GEMM, float_format="fp32", output=Output.FP32,
             has_bias=False, tiles=1, **values):
        """Add a GEMM, of numbers or of packed activations."""
        rng, config = self.rng, self.config
        w = mixed(matrix(rng, n, k), rng.random(-(-k // 16)) < 0.3).transpose()
        if kind is JobKind.GEMM:
            a, a_stride = self.rows(*in_format(matrix(rng, m, k), float_format))
        else:
            # Numbers stand behind the rows' ends, too.
            blocks = -(-k // 16)
            x = mixed(matrix(rng, m, 16 * blocks), rng.random(blocks) < 0.4)
            a, a_stride = self.tiles(activation_tiles(x, config.rows, config.act_bytes))
        b, b_stride = self.tiles(weight_stream(w, config.cols, config.weight_bytes))
        c = self.results(m, n, output)
        if kind is JobKind.GEMM:
            c |= self.policy(k) | {"format": FORMAT_CODES[float_format]}
        if has_bias:
            c |= {"flags": JobFlag.BIAS, "bias": self.place(rng.standard_normal((1, n)))}
        return self.add(**({
            "kind": kind, "m": m, "n": n, "k": k, "tiles": tiles, "output": output, "a": a, "b": b,
            "a_stride": a_stride, "b_stride": b_stride} | c | values))

    def results(self, m, n, output, copies=1):
        """Make room for results, in as many copies behind each other; return their fields.

        Of several the step of level 0 leads from one to the next.
        """
        if output in (Output.MX6, Output.MX9):
            size = longest_packet(self.config.rows, n, self.config.act_bytes)
            unit, lines = 64, -(-m // self.config.rows)
            stride = -(-size // 64) * 64 + 64 * int(self.rng.integers(0, 3))
        else:
            unit, lines = 4 if output is Output.FP32 else 2, m
            stride = n * unit + unit * int(self.rng.integers(0, 20))
        step = {"c_step_0": lines * stride} if copies > 1 else {}
        return {"c_stride": stride, "c": self.room(copies * lines * stride, unit)} | step

    def vector_pass(self, m, n, *, rows=Rows.NONE, function=Function.NONE, output=Output.FP32,
                    float_format="fp32", has_bias=False, has_channel=False, residual="none",
                    scalar=None, x=None, batch=(1, 1), **values):
        """Add a pass over rows of numbers.

        Parameters
        ----------
        m, n : int
        rows, function, output, float_format
            As the fields of their names.
        has_bias, has_channel : bool
        residual : {"none", "rows", "shift"}
        scalar : float, optional
            The factor of all rows.
        x : ndarray of float32, optional
            The rows of all iterations, drawn if they are not given.
        batch : (int, int)
            Iterations of both levels, each with all operands of its own.
        **values
            Fields.
        """
        rng, copies = self.rng, batch[0] * batch[1]
        x = matrix(rng, copies * m, n) if x is None else x
        flags, fields = JobFlag(0), self.results(m, n, output, copies)
        fields["a"], fields["a_stride"] = self.rows(*in_format(x, float_format))
        steps = {"a": m * fields["a_stride"], "c": fields.pop("c_step_0", 0)}
        for name, flag, is_there in (("bias", JobFlag.BIAS, has_bias),
                                     ("channel", JobFlag.CHANNEL, has_channel),
                                     ("residual", JobFlag.RESIDUAL, residual == "shift")):
            if is_there:
                flags |= flag
                fields[name], steps[name] = self.place(rng.standard_normal((copies, n))), 4 * n
        if residual == "rows":
            flags |= JobFlag.RESIDUAL
            fields["residual"], stride = self.rows(matrix(rng, copies * m, n), 4)
            fields["residual_stride"], steps["residual"] = stride, m * stride
        if scalar is not None:
            flags |= JobFlag.SCALED
        elif rows in (Rows.LAYER_NORM, Rows.RMS_NORM):
            scalar = scaled_epsilon(n, 1e-5)
        if scalar is not None:
            fields["scalar"] = int(np.float32(scalar).view(np.uint32))
        if output is Output.MX6:
            fields |= self.policy(n)
        for name, step in steps.items() if copies > 1 else ():
            fields |= {f"{name}_step_0": step, f"{name}_step_1": batch[0] * step}
        return self.add(**({
            "operation": Operation.VECTOR, "m": m, "n": n, "rows": rows, "function": function,
            "output": output, "format": FORMAT_CODES[float_format], "flags": flags,
            "count_0": batch[0], "count_1": batch[1]} | fields | values))

    def staged(self, *, scalar=None, has_channel=False, residual="none", tags=None, **fields):
        """Give the last command stages on the way of its results; return it.

        Parameters
        ----------
        scalar : float, optional
            The factor of all rows.
        has_channel : bool
        residual : {"none", "rows", "shift"}
        tags : ndarray of bool, optional
            Of its results; they are loaded.
        **fields
            Further ones.
        """
        rng, command = self.rng, self.commands[-1]
        m, n, flags = command.m, command.n, JobFlag(command.flags)
        if has_channel:
            flags |= JobFlag.CHANNEL
            fields["channel"] = self.place(rng.standard_normal((1, n)))
        if residual != "none":
            flags |= JobFlag.RESIDUAL
            rows = rng.standard_normal((m if residual == "rows" else 1, n)).astype(np.float32)
            fields["residual"], stride = self.rows(rows, 4)
            fields["residual_stride"] = stride if residual == "rows" else 0
        if scalar is not None:
            flags |= JobFlag.SCALED
            fields["scalar"] = int(np.float32(scalar).view(np.uint32))
        if tags is not None:
            flags |= JobFlag.TAGGED
            fields |= {"loads_tags": 1, "tags": self.room(-(-len(tags) // 8))}
            self.memory.write(fields["tags"], np.packbits(tags, bitorder="little").tobytes())
        return self.change(flags=flags, **fields)

    def convert(self, n, k, *, transposed=False, float_format="fp32", **values):
        """Add a conversion."""
        x = matrix(self.rng, *((k, n) if transposed else (n, k)))
        a, a_stride = self.rows(*in_format(x, float_format))
        size = -(-longest_packet(self.config.cols, k, self.config.weight_bytes) // 64) * 64
        return self.add(**({
            "kind": JobKind.CONVERT_TRANSPOSED if transposed else JobKind.CONVERT, "n": n, "k": k,
            "a": a, "a_stride": a_stride, "c_stride": size,
            "c": self.room(-(-n // self.config.cols) * size),
            "format": FORMAT_CODES[float_format]} | self.policy(k) | values))

    def policy(self, k):
        """Draw how MX9 blocks are chosen."""
        blocks = -(-k // 16)
        return [{"selection": Selection.TOP, "units": int(self.rng.integers(0, blocks + 1))},
                {"selection": Selection.THRESHOLD, "threshold": 0x3F800000},
                {"selection": Selection.HEAD, "units": 1}][self.rng.integers(3)]

    def tables(self, k, *, order=None, tags=None, table=0):
        """Place an order or static tags, or both; return the fields of a command that uses them."""
        values = {"table": table}
        if order is not None:
            at = self.room(2 * k)
            self.memory.write(at, np.asarray(order, "<u2").tobytes())
            values |= {"flags": JobFlag.REORDER, "loads_order": 1, "order": at}
        if tags is not None:
            at = self.room(-(-len(tags) // 8))
            self.memory.write(at, np.packbits(tags, bitorder="little").tobytes())
            values |= {"selection": Selection.STATIC, "units": 0, "loads_tags": 1, "tags": at}
        return values

    def add(self, **values):
        self.commands.append(Command(**({"count_0": 1, "count_1": 1} | values)))
        return self.commands[-1]

    def change(self, **fields):
        """Give the last command other fields; return it."""
        self.commands[-1] = Command(**(self.commands[-1].describe() | fields))
        return self.commands[-1]

    def place(self, array):
        """Place numbers in FP32."""
        array = array.astype(np.float32)
        at = self.room(array.nbytes, 4)
        self.memory.write(at, array.tobytes())
        return at


def in_format(x, float_format):
    """Give numbers in a format, and the bytes of one."""
    if float_format == "fp16":
        x = x.astype(np.float16)
    elif float_format == "bf16":
        x = (x.view(np.uint32) >> 16).astype(np.uint16)
    return x, x.itemsize
