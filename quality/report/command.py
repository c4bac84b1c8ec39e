"""The command `report`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from commands.exit_codes import ExitCode
from commands.figures import Figures
from commands.outputs import check_folder
from quality.console import console, sentences, wide

DEFAULT = Path("build") / "quality" / "small"


def report(
    folder: Annotated[Path, typer.Argument(help="Results of one model.")] = DEFAULT,
    out: Annotated[
        Path | None, typer.Option(help="Where report.html goes; the same folder without.")
    ] = None,
) -> Figures:
    """Print the tables, and write them with all pictures as a page and as Markdown.

    The exit code is 1 if a target is missed; one that the interval of its figure holds is open.

    Example: mixdit quality report build/quality/small
    """
    with sentences():
        if out is not None:
            check_folder(out)
        from quality.report.claims import make_claims
        from quality.report.document import make_tables, write_report
        from quality.report.study import load_study

        study = load_study(folder)
        for table in make_tables(study):
            wide.print(table.for_terminal())
        claims = make_claims(study)
        for claim in claims:
            console.print(f"{claim.name}: {claim.text} ({claim.bound}: {claim.verdict})")
        files = write_report(study, out or folder)
    console.print(f"{files[0]} and {len(files) - 1} more")
    return Figures(
        {"records": study.policies, "claims": [asdict(claim) for claim in claims]},
        ExitCode.DIFFERENT if any(claim.verdict == "missed" for claim in claims) else ExitCode.DONE,
    )
