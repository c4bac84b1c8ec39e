"""R x C output-stationary cells behind shared operand registers."""

from amaranth import Cat, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.contract.operand_block import operand_layout
from hw.parts.emit import instantiate

from .mac_cell import MACCell


class MACRow(wiring.Component):
    """C cells that share one operand of A; purely the wiring of `MACCell`.

    What concerns all columns is a plain vector, column 0 lowest: field by field it would be most of
    the Verilog of a large array.

    Members
    -------
    a : In(operand)
    b : In(C x operand, flat)
    first, last : In(1)
    results_in, results : C x signed(acc_width), flat
        The row D below, and this row.
    """

    def __init__(self, config):
        self.config = config
        operand = operand_layout(config.drop_width)
        super().__init__({
            "a": In(operand), "b": In(config.cols * operand.size),
            "first": In(1), "last": In(1),
            "results_in": In(config.cols * config.acc_width),
            "results": Out(config.cols * config.acc_width),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        for col in range(config.cols):
            cell = instantiate(m, platform, lambda: MACCell(
                acc_width=config.acc_width, fraction_bits=config.fraction_bits,
                drop_width=config.drop_width, cell_stages=config.cell_stages,
            ), module="mac_cell", name=f"cell_{col}")
            m.d.comb += [
                cell.a.eq(self.a),
                cell.b.eq(self.b.word_select(col, operand_layout(config.drop_width).size)),
                cell.first.eq(self.first), cell.last.eq(self.last),
                cell.result_in.eq(self.results_in.word_select(col, config.acc_width)),
                self.results.word_select(col, config.acc_width).eq(cell.result),
            ]
        return m


def array_latency(config):
    """Count the cycles from a tile's last beat until its first rows are shown."""
    return config.cell_stages + 2


class MACArray(wiring.Component):
    """Multiply R operands of A with C of B each beat; hand finished tiles out, D rows a cycle.

    A beat enters the operand registers in the cycle of ``valid`` and never waits. `latency` cycles
    after the beat with ``last``, ``row_valid`` rises for `drain_cycles` cycles and ``rows`` shows
    array rows 0 … D-1, then D … 2D-1, and so on (D = `drain_rows`), while the cells already sum the
    next tile. The sender keeps two ``last`` at least `drain_cycles` apart. Idle cycles between
    beats are harmless.

    Parameters
    ----------
    config : Config

    Members
    -------
    valid, first, last : In(1)
        The beat, and its place in the tile's sum.
    a : In(R x operand, flat)
    b : In(C x operand, flat)
    captured : Out(1)
        The first rows of a new tile are at ``rows``, now.
    row_valid : Out(1)
    rows : Out(D*C x signed(acc_width))
        Row i of the group, column j at i * C + j; rows that the array lacks are zero.
    held_a : Out(R x operand, flat)
        With a vector unit: A of the beat of the cycle before; of this one without `cell_stages`.
    """

    def __init__(self, config):
        self.config = config
        self.latency = array_latency(config)
        operand = operand_layout(config.drop_width)
        super().__init__({
            "valid": In(1), "first": In(1), "last": In(1),
            "a": In(operand.size * config.rows), "b": In(operand.size * config.cols),
            "captured": Out(1), "row_valid": Out(1),
            "rows": Out(data.ArrayLayout(signed(config.acc_width), config.drain_lanes)),
            **({"held_a": Out(operand.size * config.rows)} if config.vector_lanes else {}),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config

        # Cycle 1: operand registers, shared by a row and by a column of cells. Without a beat the
        # magnitudes of A are zero and so is what the cells add, which saves each of them an enable.
        operand = operand_layout(config.drop_width)
        a = Signal.like(self.a, name="a_operand", reset_less=True)
        b = Signal.like(self.b, name="b_operand", reset_less=True)
        magnitudes = Signal(operand)
        m.d.comb += magnitudes.magnitude.eq(~0)
        idle = magnitudes.as_value().replicate(config.rows) & ~self.valid.replicate(len(self.a))
        m.d.sync += [a.eq(self.a & ~idle), b.eq(self.b)]
        if config.vector_lanes:
            m.d.comb += self.held_a.eq(a if config.cell_stages else self.a)
        # Cycles 1 … 1 + cell_stages: what the adder must know travels beside the product.
        control = Cat(self.first & self.valid, self.last & self.valid)
        for stage in range(1 + config.cell_stages):
            delayed = Signal(2, name=f"control_{stage + 1}")
            m.d.sync += delayed.eq(control)
            control = delayed
        first, last = control

        rows = []
        for index in range(config.rows):
            row = instantiate(m, platform, lambda: MACRow(config), module="mac_row",
                              name=f"row_{index}")
            m.d.comb += [
                row.a.eq(a.word_select(index, operand.size)), row.b.eq(b),
                row.first.eq(first), row.last.eq(last),
            ]
            rows.append(row)
        for upper, lower in zip(rows, rows[config.drain_rows:], strict=False):
            m.d.comb += upper.results_in.eq(lower.results)
        m.d.comb += self.rows.eq(Cat(row.results for row in rows[: config.drain_rows]))

        cycles_left = Signal(range(config.drain_cycles + 1))
        m.d.comb += self.row_valid.eq(cycles_left != 0)
        m.d.sync += self.captured.eq(last)
        with m.If(last):
            m.d.sync += cycles_left.eq(config.drain_cycles)
        with m.Elif(self.row_valid):
            m.d.sync += cycles_left.eq(cycles_left - 1)
        return m
