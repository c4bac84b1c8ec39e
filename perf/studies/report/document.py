"""What the report says, in which order."""

from collections.abc import Sequence
from importlib.metadata import version

from perf.studies.gpu import RTX_3090, calibrated_efficiency, same_gpu_efficiency
from perf.studies.report.claims import CHOSEN
from perf.studies.report.estimates import DRAM, energy_rows
from perf.studies.report.machine_pictures import draw_pareto, draw_roofline
from perf.studies.report.pareto import Design, design_of, front
from perf.studies.report.pictures import draw_breakdown, draw_energy, draw_speedups
from perf.studies.report.speedups import claim_table, latency_table, layer_table, speedup_table
from perf.studies.report.study import Study
from perf.studies.sweep import figures_version
from perf.studies.system import POLICIES, Preset, silicon
from reporting.claim import Claim
from reporting.page import Picture, Section, Tile, render
from reporting.style import svg
from reporting.table import Column, Table

TITLE = "Diffusion transformers on a mixed MX6/MX9 machine, beside an RTX 3090"

LIBRARIES = ("amaranth", "matplotlib", "numpy")


def make_page(study: Study, claims: Sequence[Claim], designs: Sequence[Design], refused: int,
              others: Sequence[Preset]) -> str:
    """Write the report.

    Parameters
    ----------
    study : Study
        With the policy `CHOSEN`.
    claims : sequence of Claim
    designs : sequence of Design
        Of a sweep; none leaves its picture out.
    refused : int
        How many more machines the sweep had, which cannot be built or do not hold the models.
    others : sequence of Preset
        All presets, for the table of machines.
    """
    chosen = study.of_policy(CHOSEN)
    sections = [
        Section("speedups", "Speedup", (
            f"The {RTX_3090.name} is a roofline in every comparison: of each of its GEMMs the "
            "larger of arithmetic and memory time, with fused attention, and with everything else "
            "free. A perfect GPU reaches it everywhere. A real one does not: the shares are what "
            f"published latencies reach of the same roofline, {calibrated_efficiency():.3f} at "
            "best with two of these models on an A100 or L40, and "
            f"{same_gpu_efficiency():.3f} with another model and 16 images at once on the "
            f"{RTX_3090.name} itself. DaCapo is taken as perfect too, with 384 bytes of SRAM per "
            "engine, as published: together they are enough to keep attention's scores, and what "
            "passes between small layers, out of DRAM.",),
            tuple(filter(None, (speedup_table(study), claim_table(list(claims)) if claims
                                else None))),
            (Picture(svg(draw_speedups(chosen)), "Bars: speedup of every model over each rival"),)),
        Section("latency", "Latency, and where it goes", (
            "The arrays' cycles come from the schedule that equals the simulated Verilog's "
            "counters. Memory waits are what DRAM traffic takes longer than the arrays; the "
            "vector unit counts where it takes longer than both.",),
            (latency_table(study),),
            (Picture(svg(draw_breakdown(study)), "Stacked bars: time of an evaluation by cause"),)),
        Section("roofline", "Roofline of the machine", (
            "Each point is a layer of a model under MixDiT; its size is its share of the model's "
            "time. A layer on the line is as fast as the machine can be. Above it are layers of "
            "the condition, whose weights come while others compute; at the right edge, layers "
            "whose operands stay on chip.",),
            (), (Picture(svg(draw_roofline(chosen)), "Layers below the machine's roofline"),)),
        *_sweep_section(study, designs, refused),
        Section("energy", "Energy: an estimate", (
            "Counts of operations and bytes times published energies of each, at 45 nm; not a "
            "prediction of watts. Clocks, control and leakage are not in it, nor are the GPU's "
            f"caches and register files. All DRAM is {DRAM.name} at {DRAM.pj_per_bit:g} pJ/bit.",),
            (), (Picture(svg(draw_energy(energy_rows(study))),
                         "Stacked bars: estimated joules by arithmetic, SRAM and DRAM"),)),
        Section("layers", "Layers", (), tuple(layer_table(entry.run) for entry in chosen)),
        Section("models", "Models and policies", (
            "Shapes are traced from diffusers' own models. GMAC are of one sample of the two that "
            "guidance takes; steps are the usual numbers, the most usual first.",),
            (_model_table(study), _policy_table())),
        Section("machines", "Machines", (
            "Areas are estimates: gate equivalents from synthesis and bits of memory, times cited "
            "densities of a node comparable to the GPU's.",),
            (machine_table(others), _area_table(study))),
    ]
    lead = (f"Preset {study.preset.name}, {study.preset.title}. "
            f"{study.preset.multipliers:,} 4x4-bit multipliers at "
            f"{study.preset.clock_hz / 1e9:g} GHz in {study.preset.cores} cores of "
            f"{study.preset.rows} x {study.preset.cols} cells, "
            f"{study.preset.dram_bytes_per_s / 1e9:g} GB/s, {study.silicon.area:.0f} mm² "
            "(estimated).")
    return render(TITLE, lead, [_tile(claim) for claim in claims], sections, versions())


def machine_table(presets: Sequence[Preset]) -> Table:
    """Tabulate machines by their parameters and estimated area."""
    table = Table((Column("Preset", text=True), Column("What", text=True),
                   Column("Cells of\na core"), Column("Cores"), Column("4x4-bit\nmultipliers"),
                   Column("Clock,\nGHz"), Column("DRAM,\nGB/s"), Column("Vector\nlanes"),
                   Column("Peak MX6,\nTMAC/s"), Column("Area, mm²\n(estimated)")))
    for preset in presets:
        table.add(preset.name, preset.title, f"{preset.rows} x {preset.cols}", f"{preset.cores:,}",
                  f"{preset.multipliers:,}", f"{preset.clock_hz / 1e9:g}",
                  f"{preset.dram_bytes_per_s / 1e9:g}", f"{preset.vector_lanes:,}",
                  f"{preset.peak_macs_per_s / 1e12:.2f}", f"{silicon(preset).area:.2f}")
    return table


def versions() -> list[str]:
    """Say what the page was made with; no dates."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return [f"mixdit {version('mixdit')}, code and data {figures_version()}; {libraries}.",
            "Made by mixdit study report; the same code gives the same page."]


def _model_table(study: Study) -> Table:
    table = Table((Column("Name", text=True), Column("Model", text=True), Column("Parameters,\nM"),
                   Column("Tokens, image\n+ text"), Column("GMAC"), Column("Steps"),
                   Column("Configuration", text=True)))
    for model in {entry.run.model.name: entry.run.model for entry in study.entries}.values():
        table.add(model.name, model.title, f"{model.parameters / 1e6:,.1f}",
                  f"{model.image_tokens} + {model.text_tokens}",
                  f"{model.macs / model.batch / 1e9:,.1f}",
                  ", ".join(str(each.steps) for each in model.samplings), model.source)
    return table


def _policy_table() -> Table:
    table = Table((Column("Policy", text=True), Column("What", text=True),
                   Column("Linear layers,\nactivations"), Column("Linear layers,\nweights"),
                   Column("Attention,\nQ and scores"), Column("Attention,\nK and V")),
                  note="Shares in MX9, %, of K-blocks in linear layers and of heads in attention; "
                       "the rest is MX6. MixDiT: arXiv 2504.08398.")
    for policy in POLICIES.values():
        table.add(policy.name, policy.title, *(f"{100 * share:g}" for share in (
            policy.linear_acts, policy.linear_weights, policy.attention_a, policy.attention_b)))
    return table


def _area_table(study: Study) -> Table:
    parts, memories = study.silicon.gates, study.silicon.sram_bits
    table = Table((Column("Part", text=True), Column("Million GE"), Column("Mbit")),
                  title=f"Silicon of {study.preset.name}, all cores",
                  note=f"Logic {study.silicon.logic_area:.1f} mm², memories "
                       f"{study.silicon.sram_area:.1f} mm². GE: two-input NANDs.")
    for part in [*parts, *(name for name in memories if name not in parts)]:
        table.add(part, f"{parts[part] / 1e6:.2f}" if part in parts else "",
                  f"{memories[part] / 1e6:.2f}" if part in memories else "")
    table.add("all", f"{study.silicon.gate_equivalents / 1e6:.2f}",
              f"{study.silicon.bits / 1e6:.2f}", starts_group=True)
    return table


def _sweep_section(study: Study, designs: Sequence[Design], refused: int) -> list[Section]:
    if not designs:
        return []
    same = front([each for each in designs if each.bandwidth == study.preset.dram_bytes_per_s])
    table = Table((Column("Area, mm²"), Column("ms per\nevaluation"),
                   Column("Parameters beside the preset's", text=True)),
                  title=f"Best machines at {study.preset.dram_bytes_per_s / 1e9:g} GB/s")
    for design in same:
        table.add(f"{design.area:.1f}", f"{1e3 * design.seconds:.2f}", design.name)
    text = (f"{len(designs)} machines of a sweep under MixDiT; {refused} more cannot be built, or "
            "cannot hold a model's layers. Bandwidth costs no area here, so each has a front of "
            "its own. Milliseconds are the geometric mean of the models.")
    return [Section("sweep", "Area against latency", (text,), (table,) if same else (), (
        Picture(svg(draw_pareto(designs, design_of(study, CHOSEN))),
                "Area against latency of all machines, with a front for each bandwidth"),))]


def _tile(claim: Claim) -> Tile:
    value = f"{claim.value:.2f}x" if claim.unit == "x" else f"{100 * claim.value:.0f} %"
    target = f"{claim.target:.2f}" if claim.unit == "x" else f"{100 * claim.target:.0f} %"
    where = f"worst: {claim.where}; " if claim.unit == "x" else ""
    return Tile(value, claim.name, f"{where}target {claim.bound_word} {target}", claim.verdict)
