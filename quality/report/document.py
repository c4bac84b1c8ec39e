"""The report of a study: one HTML page that needs nothing else, Markdown, and its pictures."""

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from commands.outputs import whole
from quality.harness.settings import REFERENCE
from quality.report.claims import BASE, BEST, make_claims
from quality.report.differences import difference_table
from quality.report.outliers import draw_outliers
from quality.report.pictures import draw_steps, draw_widths, has_fid
from quality.report.samples import AMPLIFIED, draw_samples
from quality.report.study import Study
from quality.report.style import data_uri, svg
from quality.report.tables import Table, amount, paired_table, score_table

SHOWN = ("mx9", BASE, "mixdit", BEST, "int8", "mx4")
"""Policies in the pictures that have room for few."""


@dataclass(frozen=True)
class Picture:
    """A picture of the report.

    Parameters
    ----------
    name : str
        Of its file, and anchor.
    title, text : str
    content : bytes
        SVG.
    """

    name: str
    title: str
    text: str
    content: bytes

    @property
    def source(self) -> str:
        """The picture as an address."""
        return data_uri(self.content)


def make_pictures(study: Study) -> list[Picture]:
    """Draw what the records hold; sample images only where their batches are still there."""
    shown = [name for name in SHOWN if name in study.quantized] or study.quantized[:6]
    mixed = next((name for name in (BEST, "mixdit") if name in study.quantized), None)
    pictures = []
    if shown:
        pictures += [
            Picture("widths", "Quality against width",
                    "Mean over seeds, with the standard deviation as a bar." + (
                        " Left, the scale is linear up to 0.01 and logarithmic beyond."
                        if has_fid(study) else ""), svg(draw_widths(study))),
            Picture("steps", "Errors along the trajectory",
                    "Left, each evaluation alone, at the state FP32 had reached. Right, the state "
                    "the sampler itself reaches, with all errors before it.",
                    svg(draw_steps(study, shown))),
        ]  # fmt: skip
    pictures.append(
        Picture("outliers", "Where the outliers are",
                "Above, the largest magnitude of the largest channel over that of the median "
                "channel, in each layer's input in FP32: medians over steps (left) and over blocks "
                "(right). Below, the mean bits that a policy gives the same inputs.",
                svg(draw_outliers(study, mixed)))
    )  # fmt: skip
    samples = draw_samples(study, [REFERENCE, *(name for name in (BASE, BEST) if name in shown)])
    if samples is not None:
        pictures.append(
            Picture("samples", "The same noise",
                    f"Images of each policy, and below them {AMPLIFIED} times their distance from "
                    f"{REFERENCE}'s.", svg(samples))
        )  # fmt: skip
    return pictures


def make_tables(study: Study) -> list[Table]:
    """Tabulate the records; differences between policies only where there are two to compare."""
    differences = difference_table(study)
    return [paired_table(study), *([differences] if differences.rows else []), score_table(study)]


def write_report(study: Study, out: Path) -> list[Path]:
    """Write ``report.html``, ``report.md`` and a file for each picture; equal for equal records."""
    pictures = make_pictures(study)
    tables = make_tables(study)
    claims = make_claims(study)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True,
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    page = environment.get_template("page.html").render(
        title=_title(study), lead=_lead(study), claims=claims, tables=tables, pictures=pictures,
        footer=_footer(study),
    )  # fmt: skip
    lines = [f"# {_title(study)}\n\n{_lead(study)}\n"]
    lines += [
        f"- {claim.name}: {claim.text} ({claim.bound}: {claim.verdict})\n"
        for claim in claims
    ]
    lines += [f"\n{table.for_markdown()}" for table in tables]
    lines += [f"\n### {p.title}\n\n![{p.title}]({p.name}.svg)\n\n{p.text}\n" for p in pictures]
    lines += [f"\n{line}  \n" for line in _footer(study)]
    files = {"report.html": page.encode(), "report.md": "".join(lines).encode()}
    files |= {f"{picture.name}.svg": picture.content for picture in pictures}
    for name, content in files.items():
        with whole(out / name) as file:
            file.write(content)
    return [out / name for name in files]


def _title(study: Study) -> str:
    return f"Image quality under quantization: {study.any_record['model']['name']}"


def _lead(study: Study) -> str:
    model = study.any_record["model"]
    return (
        f"{model['sampler']}, {model['steps']} steps, guidance {model['guidance']:g}; "
        f"{amount(study)} for each policy, drawn {study.any_record['batch']} at a time from the "
        "same noise."
    )


def _footer(study: Study) -> list[str]:
    record = study.any_record
    packages = ", ".join(f"{name} {version}" for name, version in record["packages"].items())
    versions = {
        each[key]: None
        for records in study.policies.values()
        for each in records
        for key in ("sampling_code", "quantizing_code")
        if key in each
    }
    return [
        f"Weights {record['model']['weights_sha256'][:16]}; code {', '.join(versions)}; "
        f"{packages}.",
        "Made by mixdit quality report; the same records give the same page.",
    ]
