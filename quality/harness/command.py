"""The command `evaluate`."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from commands.figures import Figures
from commands.outputs import check_folder
from quality.console import console, resumable, unit_progress
from quality.harness.ranks import Rank
from quality.harness.settings import REFERENCE, Settings
from quality.models.options import DTYPES, SMALL, ModelOptions

ALL, FORMATS = "all", "formats"
"""Words for many policies: the study, and formats of other machines."""

MODEL, JUDGES, WORK = "Model", "Judges of published models", "Work"
"""Headings of `--help`."""


def evaluate(
    model: Annotated[
        str,
        typer.Option(help="small, a checkpoint, or a folder or hub name of a diffusers pipeline."),
    ] = SMALL,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            help="Policy to judge beside fp32; may be repeated. `formats` stands for those of OCP "
            "and NVIDIA, which `all` leaves out. [default: all]"
        ),
    ] = None,
    images: Annotated[int, typer.Option(min=2, help="Images for each policy and seed.")] = 1000,
    seeds: Annotated[str, typer.Option(help="Seeds of the noise, with commas between.")] = "0,1,2",
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("build") / "quality",
    calibration: Annotated[
        Path | None, typer.Option(help="Calibration, if not the model's usual one.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Images drawn at once.")] = 50,
    probe: Annotated[int, typer.Option(min=1, help="Images whose trajectory is probed.")] = 20,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Sampling steps.", rich_help_panel=MODEL)
    ] = None,
    guidance: Annotated[
        float | None, typer.Option(help="Guidance scale; 1 is none.", rich_help_panel=MODEL)
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="A prompt on each line.", rich_help_panel=MODEL)
    ] = None,
    embeddings: Annotated[
        Path | None,
        typer.Option(
            help="Prompts as embeddings, safetensors by the pipeline's names: no text encoder.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(help="cpu, cuda, cuda:1 ...", rich_help_panel=MODEL)
    ] = "cpu",
    dtype: Annotated[
        str, typer.Option(help=f"{', '.join(DTYPES)}.", rich_help_panel=MODEL)
    ] = DTYPES[0],
    download: Annotated[
        bool, typer.Option("--download", help="Fetch from the hub.", rich_help_panel=MODEL)
    ] = False,
    inception: Annotated[
        Path | None,
        typer.Option(help="torch-fidelity's Inception weights: IS.", rich_help_panel=JUDGES),
    ] = None,
    statistics: Annotated[
        Path | None,
        typer.Option(help="A data set's mu and sigma, .npz: FID.", rich_help_panel=JUDGES),
    ] = None,
    clip: Annotated[
        Path | None, typer.Option(help="Folder of a CLIP: CLIP score.", rich_help_panel=JUDGES)
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1, help="Processes. [default: 2 for small ones, 1 for others]", rich_help_panel=WORK
        ),
    ] = None,
    threads: Annotated[
        int, typer.Option(min=1, help="Threads of torch in each process.", rich_help_panel=WORK)
    ] = 1,
) -> Figures:
    """Judge images under quantization policies beside FP32's; goes on where it was interrupted.

    Under `torchrun` or `accelerate launch`, the processes share the images; all must see --out.

    Example: mixdit quality evaluate --policy mx6 --policy mixdit --images 250 --probe 10
    """
    with resumable():
        check_folder(out)
        numbers = parse_seeds(seeds)
        import torch

        from quality.harness.judges import JudgeFiles
        from quality.harness.run import evaluate as run
        from quality.models.identity import is_small
        from quality.policies import FORMATS as OTHERS
        from quality.policies import NAMES

        settings = Settings(
            model=ModelOptions(
                name=model, steps=steps, guidance=guidance, prompts=prompts, embeddings=embeddings,
                device=check_device(device, torch.cuda.device_count()), dtype=dtype,
                download=download,
            ),
            calibration=calibration, out=out, images=images, batch=batch, probe=probe,
            threads=threads,
        )  # fmt: skip
        files = JudgeFiles(inception=inception, statistics=statistics, clip=clip)
        policies = parse_policies(policy or [ALL], {ALL: NAMES, FORMATS: tuple(OTHERS)})
        if jobs is None:
            alone = Rank.here().world > 1 or not is_small(settings.model) or device != "cpu"
            jobs = 1 if alone else 2
        with unit_progress(Rank.here().leads) as progress:
            paths = run(settings, policies, numbers, files=files, jobs=jobs, progress=progress)
    if paths:
        console.print(
            f"{settings.folder}: {len(paths)} records; "
            f"show them with `mixdit quality report {settings.folder}`"
        )
    return Figures({"records": [json.loads(path.read_text("utf-8")) for path in paths]})


def parse_seeds(text: str) -> list[int]:
    """Read ``"0,1,2"``.

    Raises
    ------
    ValueError
        If it is no list of numbers from 0 on.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise ValueError(f"seeds are numbers with commas between, such as 0,1,2, not {text!r}")
    return [int(part) for part in parts]


def parse_policies(asked: list[str], groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the policies that were asked for, each once; a group's name stands for all of it.

    Raises
    ------
    ValueError
        If one is not known.
    """
    known = [REFERENCE, *(name for group in groups.values() for name in group)]
    policies: list[str] = []
    for name in (each.strip() for text in asked for each in text.split(",")):
        if name not in known and name not in groups:
            raise ValueError(
                f"there is no policy {name!r}; there are {', '.join(dict.fromkeys(known))} and, "
                f"for many, {' and '.join(groups)}"
            )
        policies += groups.get(name, [name])
    return list(dict.fromkeys(policies))


def check_device(name: str, gpus: int) -> str:
    """Return where this process is to compute: of several with ``cuda``, each on its own GPU.

    Raises
    ------
    ValueError
        If there is no such device here.
    """
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdecimal()):
        raise ValueError(f"a device is cpu, cuda or cuda: with a number, not {name!r}")
    if kind == "cpu":
        return kind
    index = int(number) if number else Rank.here().local % max(gpus, 1)
    if index >= gpus:
        raise ValueError(f"{name} is not here: torch sees {gpus} GPUs")
    return f"cuda:{index}"
