"""How fast whole models run, and beside what: ``mixdit study``.

Exit codes: 1 when a target is missed; 2 also for a cluster that cannot be used; else as
`commands.exit_codes` has them.
"""

from pathlib import Path
from typing import Annotated

import typer

from commands.exit_codes import ExitCode
from commands.figures import Figures
from commands.outputs import check_file, check_folder, write_text
from commands.running import sentences
from perf.studies import report as reports
from perf.studies import sweep as sweeps
from perf.studies.report.terminal import KEPT, console, find, progress, write_json
from perf.studies.system import POLICIES, Preset, load_preset, preset_names
from perf.workloads import Model, load_models

OUT = Path("build/perf")
STORE = "sweep.jsonl"
REPORTS = ("report.html", "report.md", "report.json")

PresetName = Annotated[str, typer.Option(
    "--preset", metavar="NAME|FILE", help=f"{', '.join(preset_names())}, or a TOML file.")]
PolicyNames = Annotated[list[str] | None, typer.Option(
    "--policy", metavar="NAME", help=f"{', '.join(POLICIES)}; may be repeated [default: mixdit]")]
Jobs = Annotated[int, typer.Option(min=1, help="Processes of the sweep.")]


def model(
    names: Annotated[list[str] | None, typer.Argument(
        metavar="[NAME]...", help=f"Of {', '.join(load_models())}; all without.")] = None,
    preset: PresetName = "server", policies: PolicyNames = None,
) -> Figures:
    """Print latency per image, and speedup over an RTX 3090.

    Example: mixdit study model dit-512 --policy mx6 --policy mixdit --preset edge
    """
    with sentences(KEPT):
        study = _study(load_preset(preset), find(names, load_models(), "model"), policies)
        claims = reports.make_claims(study)
        for table in (reports.latency_table(study), reports.speedup_table(study)):
            console.print(table.for_terminal())
        return Figures(reports.study_record(study, claims))


def layer(
    name: Annotated[str, typer.Argument(
        metavar="MODEL", help=f"Of {', '.join(load_models())}.")],
    preset: PresetName = "server",
    policy: Annotated[str, typer.Option(metavar="NAME", help=f"Of {', '.join(POLICIES)}.")] = (
        "mixdit"),
) -> Figures:
    """Print what binds each layer of a model, and its share of the time.

    Example: mixdit study layer sd3-1024 --json
    """
    with sentences(KEPT):
        study = _study(load_preset(preset), find([name], load_models(), "model"), [policy])
        run = study.entries[0].run
        console.print(reports.layer_table(run).for_terminal())
        return Figures(reports.layers_record(run))


def assumptions(
    preset: PresetName = "server",
    policy: Annotated[str, typer.Option(metavar="NAME", help=f"Of {', '.join(POLICIES)}.")] = (
        "mixdit"),
) -> Figures:
    """Print what the speedup rests on: the worst of all models, one assumption changed at a time.

    Example: mixdit study assumptions --preset edge
    """
    with sentences(KEPT):
        machine, [chosen] = load_preset(preset), find([policy], POLICIES, "policy")
        with progress(machine.name) as show:
            outcomes = reports.study_assumptions(
                machine, list(load_models().values()), chosen, on_progress=show)
        console.print(reports.assumption_table(machine, outcomes).for_terminal())
        return Figures(reports.assumptions_record(machine, outcomes))


def sweep(
    grid: Annotated[Path | None, typer.Option(
        help="TOML file with the axes; one of the project's own without.")] = None,
    axis: Annotated[list[str] | None, typer.Option(
        metavar="NAME=VALUE,…", help="An axis beside those of --grid, or instead of the project's "
        f"own; of {', '.join(sweeps.AXES)}.")] = None,
    preset: Annotated[str | None, typer.Option(
        metavar="NAME|FILE", help="Machine that the axes change, instead of the grid's.")] = None,
    policy: Annotated[str | None, typer.Option(
        metavar="NAME", help=f"Of {', '.join(POLICIES)}, instead of the grid's.")] = None,
    models: Annotated[list[str] | None, typer.Option(
        "--model", metavar="NAME",
        help=f"Of {', '.join(load_models())}, instead of the grid's; may be repeated.")] = None,
    jobs: Jobs = 2,
    cluster: Annotated[str | None, typer.Option(
        metavar="tcp://HOST:PORT", help="Scheduler of a dask.distributed cluster, instead.")] = (
            None),
    store: Annotated[Path, typer.Option(
        help="JSON lines; what it holds is not run again.")] = OUT / STORE,
) -> Figures:
    """Run a grid of machines; Ctrl-C keeps what is done, the next call goes on.

    Example: mixdit study sweep --axis cores=32,64 --axis dram_bytes_per_s=468e9,936e9
    """
    with sentences(KEPT):
        check_file(store)
        axes = sweeps.parse_axes(axis or ())
        wanted = sweeps.read_grid(grid or sweeps.DEFAULT).changed(
            axes, instead=bool(axes) and grid is None, preset=preset, policy=policy, models=models)
        points, records = _sweep(wanted, store, jobs, cluster)
        for table in (reports.front_table(reports.designs(points, records)),
                      reports.refusal_table(records)):
            console.print(table.for_terminal())
        return Figures({"code": sweeps.figures_version(),
                        "records": [record.plain() for record in records]})


def report(
    out: Annotated[Path, typer.Option(
        metavar="FOLDER", help="For the page, the Markdown, the JSON and the sweep.")] = OUT,
    preset: PresetName = "server",
    grid: Annotated[Path, typer.Option(
        help="TOML file of the sweep.", show_default=False)] = sweeps.DEFAULT,
    with_sweep: Annotated[bool, typer.Option(
        "--sweep/--no-sweep", help="Also run the grid of machines.")] = True, jobs: Jobs = 2,
) -> Figures:
    """Run everything; write one HTML page, and every number as JSON.

    The exit code is 1 if a target is missed.

    Example: mixdit study report --out build/perf --jobs 2
    """
    with sentences(KEPT):
        check_folder(out)
        for name in (*REPORTS, *[STORE] * with_sweep):
            check_file(out / name)
        wanted = sweeps.read_grid(grid).changed(preset=preset) if with_sweep else None
        study = _study(load_preset(preset), list(load_models().values()), list(POLICIES))
        claims = reports.make_claims(study)
        points, records = _sweep(wanted, out / STORE, jobs, None) if wanted else ([], [])
        found = reports.designs(points, records)
        write_json(out / "report.json", reports.study_record(study, claims))
        write_text(out / "report.html", reports.make_page(
            study, claims, found, len(records) - len(found), list(map(load_preset, preset_names()))
        ))
        tables = (reports.latency_table(study), reports.speedup_table(study),
                  reports.claim_table(claims))
        write_text(out / "report.md", "\n".join(table.as_section() for table in tables))
        for table in tables:
            console.print(table.for_terminal())
        console.print(f"Written: {out / 'report.html'}, report.md, report.json", soft_wrap=True)
    return Figures(out / "report.json", ExitCode.DONE if all(claim.met for claim in claims)
                   else ExitCode.DIFFERENT)


def _study(machine: Preset, models: list[Model], policies: list[str] | None) -> reports.Study:
    chosen = [policy.name for policy in find(policies or ["mixdit"], POLICIES, "policy")]
    with progress(machine.name) as show:
        return reports.make_study(machine, models, chosen, on_progress=show)


def _sweep(grid: sweeps.Grid, store: Path, jobs: int, address: str | None
           ) -> tuple[list[sweeps.Point], list[sweeps.Record]]:
    points, known = grid.points(), sweeps.Store(store)
    executor = sweeps.cluster(address) if address else sweeps.processes(jobs)
    with executor as workers, progress("sweep") as show:
        return points, sweeps.run(points, known, workers, on_progress=show)
