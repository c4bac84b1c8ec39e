"""What a sweep found, as tables."""

from collections import Counter
from collections.abc import Sequence

from perf.studies.report.pareto import Design, front
from perf.studies.sweep import Record
from reporting.table import Column, Table


def front_table(designs: Sequence[Design]) -> Table:
    """Tabulate, for each bandwidth, the machines that no smaller or equal one outruns."""
    table = Table((Column("DRAM, GB/s"), Column("Area, mm²\n(estimated)"),
                   Column("ms per\nevaluation"), Column("Parameters", text=True)),
                  title="Best machines", note="ms: geometric mean of the models.")
    for bandwidth in sorted({design.bandwidth for design in designs}):
        some = [design for design in designs if design.bandwidth == bandwidth]
        for index, design in enumerate(front(some)):
            table.add(f"{bandwidth / 1e9:g}", f"{design.area:.1f}", f"{1e3 * design.seconds:.2f}",
                      design.name, starts_group=not index)
    return table


def refusal_table(records: Sequence[Record]) -> Table:
    """Tabulate why machines were refused, the most frequent reason first."""
    refused = Counter(record.refused for record in records if record.refused)
    table = Table((Column("Points"), Column("Why there is no such machine", text=True)),
                  title=f"{len(records)} points: {len(records) - refused.total()} machines, "
                        f"{refused.total()} refused")
    for sentence, count in refused.most_common():
        table.add(str(count), sentence)
    return table
