"""The command `packed-results`."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from commands.figures import Figures
from quality.console import sentences, unit_progress, wide
from quality.models.options import DTYPES, SMALL, ModelOptions

WAYS = {"drain": "where scores drain", "offset": "with an offset of the head",
        "maximum": "by the row's maximum"}


def packed_results(
    model: Annotated[
        str, typer.Option(help="small, a checkpoint, or a folder or hub name of a pipeline.")
    ] = SMALL,
    images: Annotated[int, typer.Option(min=1, help="Images drawn, all at once.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Seed of their noise; tags are chosen on "
                                      "images of the next one.")] = 0,
    linear: Annotated[float, typer.Option(help="Share of a feed-forward's blocks in MX9.")] = 0.05,
    attention: Annotated[float, typer.Option(help="Share of P's blocks in MX9.")] = 0.20,
    rows: Annotated[int, typer.Option(min=1, help="Of a token tile.")] = 8,
    steps: Annotated[int | None, typer.Option(min=1, help="Sampling steps.")] = None,
    guidance: Annotated[float | None, typer.Option(help="Guidance scale; 1 is none.")] = None,
    prompts: Annotated[Path | None, typer.Option(help="A prompt on each line.")] = None,
    embeddings: Annotated[Path | None, typer.Option(help="Prompts as embeddings.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1 ...")] = "cpu",
    dtype: Annotated[str, typer.Option(help=f"{', '.join(DTYPES)}.")] = DTYPES[0],
    download: Annotated[bool, typer.Option("--download", help="Fetch from the hub.")] = False,
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch.")] = 2,
) -> Figures:
    """Measure scores of each head, and what static tags of packed results cost; choose per head.

    Example: mixdit quality packed-results --images 10
    """
    with sentences():
        for name, share in (("linear", linear), ("attention", attention)):
            if not 0 <= share <= 1:
                raise ValueError(f"{name} must be 0 to 1, not {share}")
        import torch

        from quality import packed_results as study
        from quality.harness.calls import recorded
        from quality.models.subject import load_subject

        torch.set_num_threads(threads)
        subject = load_subject(ModelOptions(
            name=model, steps=steps, guidance=guidance, prompts=prompts, embeddings=embeddings,
            device=device, dtype=dtype, download=download))
        drawn = []
        with unit_progress() as progress:
            for number, each in enumerate((seed, seed + 1)):
                progress(number, 5, "drawing")
                with recorded(subject.transformer) as calls:
                    subject.draw(subject.transformer, each, 0, images)
                drawn.append(calls)
            progress(2, 5, "scores")
            ranges = study.score_ranges(subject.transformer, [*drawn[0], *drawn[1]])
            losses = {}
            for number, others in enumerate((False, True)):
                progress(3 + number, 5, "tags")
                losses["others in MX6" if others else "alone"] = study.tag_losses(
                    subject.transformer, drawn[1], drawn[0], tile_rows=rows, others=others,
                    fractions={"linear": linear, "pv": attention})
            progress(5, 5, "tags")
    _show_ranges(ranges)
    _show_losses(losses)
    return Figures({
        "heads": [{"site": each.site, "head": each.head, "least": each.least, "most": each.most,
                   "least_row_maximum": each.least_row_maximum, "way": each.way,
                   "offset": each.offset} for each in ranges],
        "decibels": losses})


def _show_losses(losses) -> None:
    """Print what packed results cost by themselves, and in blocks whose products are all MX6."""
    table = Table("packed results", *(f"{each}, mean, dB" for each in losses),
                  *(f"{each}, worst step" for each in losses), box=SIMPLE_HEAD)
    for name, what in (("mx6", "all in MX6"), ("online", "outliers in MX9, chosen tile by tile"),
                       ("static", "outliers in MX9, from a table")):
        found = [each[name] for each in losses.values()]
        table.add_row(what, *(f"{sum(each) / len(each):.2f}" for each in found),
                      *(f"{min(each):.2f}" for each in found))
    wide.print(table)
    for what, each in losses.items():
        cost = (sum(each["online"]) - sum(each["static"])) / len(each["online"])
        wide.print(f"A table instead of a choice for each tile costs {cost:.2f} dB, {what}.")


def _show_ranges(ranges) -> None:
    """Print the range of each attention's scores, and how many of its heads go which way."""
    table = Table("attention", "heads", "least", "most", "smallest row maximum", "P is made",
                  title="Scores, in units of log2", box=SIMPLE_HEAD)
    for site in dict.fromkeys(each.site for each in ranges):
        heads = [each for each in ranges if each.site == site]
        ways = Counter(each.way for each in heads)
        table.add_row(
            site, str(len(heads)), f"{min(each.least for each in heads):.1f}",
            f"{max(each.most for each in heads):.1f}",
            f"{min(each.least_row_maximum for each in heads):.1f}",
            ", ".join(f"{WAYS[way]}{f' ({count})' if len(ways) > 1 else ''}"
                      for way, count in ways.items()))
    wide.print(table)
