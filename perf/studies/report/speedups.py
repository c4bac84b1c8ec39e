"""Tables of latencies, speedups and layers."""

from perf.studies.gpu import RTX_3090
from perf.studies.report.claims import CALIBRATED, CHOSEN, JUDGED, OWN_ROOFLINE, PERFECT
from perf.studies.report.study import Entry, Study, rivals
from perf.studies.system import ModelRun
from reporting.claim import Claim
from reporting.table import Column, Table

STEPS = (20, 50, 100)
"""In every table, beside the steps that each model is usually sampled with."""


def latency_table(study: Study) -> Table:
    """Tabulate seconds per image, bounds and the ratio to the machine's own roofline."""
    bounds = study.preset.bounds
    table = Table((
        Column("Model", text=True), Column("Policy", text=True), Column("ms per\nevaluation"),
        *(Column(f"s, {steps}\nsteps") for steps in STEPS), Column("s, its usual\nsteps"),
        Column("x own\nroofline"), Column("Arrays\nused, %"), Column("GB per\nevaluation"),
        Column("Bound by " + " / ".join(bounds[:1]) + " /\n" + " / ".join(bounds[1:]) + ", %")),
        title=f"Latency per image on {study.preset.name}",
        note="One image with guidance: each evaluation runs two samples. No text encoder, no "
             "decoder. Own roofline: 1.00 is every layer at its compute or memory bound.")
    for entry in study.entries:
        run = entry.run
        seconds = run.seconds_by_bound()
        usual = [each.steps for index, each in enumerate(run.model.samplings)
                 if not index or each.steps not in STEPS]
        table.add(
            run.model.name, run.policy.name, f"{1e3 * run.step_seconds:.2f}",
            *(f"{run.image_seconds(steps):.3f}" for steps in STEPS),
            ", ".join(f"{run.image_seconds(steps):.2f} ({steps})" for steps in usual),
            f"{run.roofline_ratio:.3f}", f"{100 * run.utilisation:.1f}",
            f"{run.traffic.total / 1e9:.2f}",
            " / ".join(f"{100 * seconds[each] / run.step_seconds:.0f}" for each in bounds),
            missed=[7] if _judged(study, entry) and run.roofline_ratio > OWN_ROOFLINE else (),
            starts_group=_is_first(study, entry))
    return table


def speedup_table(study: Study) -> Table:
    """Tabulate how often faster than each rival every run is."""
    table = Table((
        Column("Model", text=True), Column("Policy", text=True),
        *(Column(rival.short) for rival in rivals()), Column("perfect FP16\nper area")),
        title=f"Speedup of {study.preset.name} over an {RTX_3090.name}, times",
        note=f"At {study.silicon.area:.0f} mm² (estimated) beside the GPU's {RTX_3090.area:.0f} "
             f"mm². Compared are evaluations; a number of steps multiplies both sides.")
    for entry in study.entries:
        values = [getattr(entry.comparison, rival.field) for rival in rivals()]
        wanted = {"perfect": PERFECT, "calibrated": CALIBRATED} if _judged(study, entry) else {}
        missed = [index for index, rival in enumerate(rivals(), 2)
                  if values[index - 2] < wanted.get(rival.field, 0)]
        table.add(entry.run.model.name, entry.run.policy.name,
                  *(f"{value:.2f}" for value in values),
                  f"{entry.comparison.perfect_per_area:.1f}", missed=missed,
                  starts_group=_is_first(study, entry))
    return table


def claim_table(claims: list[Claim]) -> Table:
    """Tabulate the targets."""
    table = Table((Column("Figure", text=True), Column("Worst of", text=True), Column("Value"),
                   Column("Target", text=True), Column("Met", text=True)), title="Targets")
    for claim in claims:
        table.add(claim.name, claim.where, f"{claim.value:.3f}",
                  f"{claim.bound_word} {claim.target:.2f}",
                  "yes" if claim.met else "NO", missed=() if claim.met else [2, 4])
    return table


def layer_table(run: ModelRun) -> Table:
    """Tabulate the layers of a model: what binds each, and how much of the time it takes."""
    table = Table((
        Column("Layer", text=True), Column("Kind", text=True), Column("Times"),
        Column("µs each"), Column("% of\ntime"), Column("Bound by", text=True),
        Column("Compute,\nµs"), Column("Memory,\nµs"), Column("Vector,\nµs"),
        Column("Exposed,\nµs"), Column("Arrays\nused, %"), Column("MB\nmoved"),
        Column("MACs per\nbyte")),
        title=f"{run.model.title} on {run.preset.name}, {run.policy.title}: "
              f"{1e3 * run.step_seconds:.2f} ms per evaluation",
        note="Compute, memory, vector: what each would take alone; in blocks that repeat, memory "
             "of the condition's layers hides beside other layers. Exposed: what overlaps with "
             "nothing. MB: to and from DRAM, each time.")
    block = None
    for layer in run.layers:
        table.add(
            layer.name, layer.kind, str(layer.count), f"{1e6 * layer.seconds:.1f}",
            f"{100 * layer.total_seconds / run.step_seconds:.2f}", layer.bound.value,
            *(f"{1e6 * seconds:.1f}" for seconds in
              (layer.compute, layer.memory, layer.vector, layer.exposed)),
            f"{100 * layer.utilisation:.1f}", f"{layer.traffic.total / 1e6:.2f}",
            f"{layer.macs / layer.traffic.total:.0f}" if layer.traffic.total else "",
            starts_group=layer.name.partition(":")[0] != block)
        block = layer.name.partition(":")[0]
    return table


def _judged(study: Study, entry: Entry) -> bool:
    return study.preset.name == JUDGED and entry.run.policy.name == CHOSEN


def _is_first(study: Study, entry: Entry) -> bool:
    return next(each for each in study.entries
                if each.run.model.name == entry.run.model.name) is entry
