"""The command ``mixdit``: all that this project does, from one place.

What stands here is its table of contents. A command is imported when it is called.
"""

from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from commands.checkout import find_folders
from commands.deferred import Deferred, found_at, group
from commands.running import start

MACHINE, FIGURES, DEVELOPERS = "The machine", "Figures", "For developers"

COMMANDS = {
    "verilog": ("hw.command:verilog", "Emit the accelerator as Verilog."),
    "memories": ("hw.tools.memories:main", "List the memories of a machine."),
}
"""Place and summary of each command that stands alone."""

GROUPS = {
    "run": ("Run matrices through the emitted Verilog, and compare every bit.\n\n"
            "Example: mixdit run gemm --activations a.npy --weights w.npy", MACHINE, {
        "demo": ("examples.command:demo",
                 "Run every kind of linear layer of a trained DiT in MX6, MixDiT and MX9."),
        "gemm": ("examples.command:gemm",
                 "Multiply your own matrices (float16, float32 or bfloat16)."),
        "attention": ("examples.command:attention",
                      "Run a trained DiT's attention, from its input to its output projection."),
        "block": ("examples.block.command:block",
                  "Run a DiT block as four lists of commands, or as one, from memory to memory."),
        "soc": ("examples.soc.command:soc",
                "Run two layers in a system of plain Verilog, from memory to memory."),
    }),
    "check": ("Hold the machine against what is said of it.\n\n"
              "Example: mixdit check fuzz --jobs 100 --machine 4x4", MACHINE, {
        "coverage": ("sim_tests.coverage.command:main",
                     "Count which lines, branches and bits of the modules their benches reach."),
        "cycles": ("perf.rtl.check:main", "Hold the cycle model against the emitted Verilog."),
        "formal": ("formal.command:main",
                   "Prove properties of modules, for all inputs and all times, by k-induction."),
        "gates": ("sim_tests.gates.command:main",
                  "Map parts of the machine, and a whole one, to library cells, and run their "
                  "benches on them."),
        "lint": ("hw.tools.lint:main", "Run Verilator's lint on emitted Verilog."),
        "fuzz": ("sim_tests.fuzz.command:main",
                 "Mix good jobs, bad jobs, broken packets, abuse, resets and aborts; check every "
                 "bit."),
        "fuzz-lists": ("sim_tests.fuzz_lists.command:main",
                       "Try lists of commands beside memories of any manners; compare every byte "
                       "with golden's ring."),
        "golden": ("golden.tests.proof.command:main",
                   "Compare all that golden computes with second formulations, as far as can be "
                   "every case."),
        "fuzz-files": ("golden.tests.fuzz_files:main",
                       "Break files of MX tensors at random: each is refused, or read whole."),
        "fuzz-quantized": ("golden.tests.fuzz_command:quantized",
                           "Break files of quantized models at random: each is refused, or gives "
                           "a model that runs."),
        "planted-bugs": ("sim_tests.planted_bugs.command:main",
                         "Plant bugs, one at a time, and see that a test turns red."),
        "mutants": ("sim_tests.mutants.command:main",
                    "Make netlist mutants of every module, and see that a bench notices each."),
        "registers": ("hw.registers.files:check",
                      "See whether the files made from the register map are up to date."),
        "workloads": ("perf.workloads.command:check",
                      "Trace diffusers' models again, and compare them with the workloads here."),
    }),
    "bench": ("Measure speed: of the machine, of its model, of its generator.\n\n"
              "Example: mixdit bench rtl --json > rtl.json", FIGURES, {
        "rtl": ("perf.rtl.bench:main", "Measure the machine in the emitted Verilog."),
        "ring": ("perf.rtl.ring_bench:main",
                 "Measure the machine with a command ring, beside a memory on its bus."),
        "simulation": ("simulation.bench:main",
                       "Measure cycles per second of the simulated machine, idle and with jobs."),
        "golden": ("perf.golden_bench:golden", "Time the golden model on one thread."),
        "torch": ("perf.golden_bench:torch",
                  "Time a small DiT's forward pass with quantized GEMMs beside FP32."),
        "memory": ("perf.golden_bench:memory",
                   "Measure the memory that quantized layers and attention take."),
        "emission": ("hw.tools.emission:main", "Time the generator at 4x4, 16x16 and 64x64."),
    }),
    "study": ("Run whole models on many cores, and say beside what they are fast.\n\n"
              "Example: mixdit study model dit-512 --policy mx6 --policy mixdit", FIGURES, {
        "model": ("perf.studies.command:model",
                  "Print latency per image, and speedup over an RTX 3090."),
        "layer": ("perf.studies.command:layer",
                  "Print what binds each layer of a model, and its share of the time."),
        "block": ("perf.blocks.command:block",
                  "Ask the exact cycle model how long a model's blocks take as lists of commands, "
                  "all in MX6."),
        "assumptions": ("perf.studies.command:assumptions",
                        "Print what the speedup rests on: the worst of all models, one assumption "
                        "changed at a time."),
        "sweep": ("perf.studies.command:sweep",
                  "Run a grid of machines; Ctrl-C keeps what is done, the next call goes on."),
        "report": ("perf.studies.command:report",
                   "Run everything; write one HTML page, and every number as JSON."),
        "accumulators": ("perf.studies.accumulators:main",
                         "Compare errors of accumulators with that of quantization."),
    }),
    "quality": ("See what quantization does to pictures.\n\n"
                "Example: mixdit quality evaluate --policy mx6 --images 250", FIGURES, {
        "evaluate": ("quality.harness.command:evaluate",
                     "Judge images under quantization policies beside FP32's; goes on where it "
                     "was interrupted."),
        "one-step": ("quality.report.one_step_command:one_step",
                     "Compare policies by single evaluations of the model at FP32's own states: "
                     "some minutes."),
        "vector-unit": ("quality.vector_unit_command:vector_unit",
                        "Compare the machine's vector unit with float64 inside the small DiT: some "
                        "minutes."),
        "packed-results": ("quality.packed_results_command:packed_results",
                           "Measure scores of each head, and what static tags of packed "
                           "results cost; choose per head."),
        "report": ("quality.report.command:report",
                   "Print the tables, and write them with all pictures as a page and as "
                   "Markdown."),
        "calibrate": ("quality.calibration.command:calibrate",
                      "Measure channel orders, thresholds and sensitivities, and round the "
                      "weights with them."),
        "train": ("quality.command:train",
                  "Train the model; an interrupted run continues when the command is given "
                  "again."),
        "sample": ("quality.command:sample",
                   "Sample images and write them as one labelled picture."),
        "capture": ("quality.command:capture",
                    "Record the inputs of a block's linear layers during sampling, with the "
                    "layers' weights."),
        "classifier": ("quality.command:classifier",
                       "Train the classifier whose features `evaluate` uses."),
        "extractor": ("quality.metrics.command:extractor",
                      "Train the second network, on whose features the kernel distance is taken."),
        "reference": ("quality.metrics.command:reference",
                      "Write the statistics of the test set, to which samples are compared."),
        "statistics": ("quality.metrics.command:statistics",
                       "Write the Inception statistics of real images, for the FID and KID of "
                       "published models."),
        "zoo": ("quality.zoo.command:zoo",
                "Try quantization on a miniature of every transformer of diffusers."),
    }),
    "dev": ("Make anew what is committed and follows from the sources.\n\n"
            "Example: mixdit dev registers", DEVELOPERS, {
        "registers": ("hw.registers.files:main", "Write what follows from the register map."),
        "commands": ("hw.memory.page:main",
                     "Write the tables of docs/commands.md, and the C header of descriptors."),
        "proofs": ("formal.page:main", "Write the table of proofs in docs/formal.md."),
        "vector-tables": ("golden.vector.fit:main",
                          "Write the coefficients of the vector unit's functions, "
                          "golden/vector/tables.py."),
        "golden-proof": ("golden.tests.proof.page:main",
                         "Write the table of second formulations in docs/golden_proof.md."),
        "testplan": ("sim_tests.plan.page:main",
                     "Write the tables of docs/testplan.md."),
        "packages": ("hw.tools.import_graph:main",
                     "Write the packages and their files in docs/architecture.md."),
        "workloads": ("perf.workloads.command:trace",
                      "Trace diffusers' models on the meta device, and write the workloads."),
    }),
}
"""Summary, heading and members of each group."""

SYNTHESIS = {
    "area": ("perf.rtl.ppa.command:area", "Synthesize the machine's parts and the references."),
    "fpga": ("perf.rtl.fpga.command:fpga",
             "Synthesize the machine for FPGAs, place and route it on an ECP5."),
}
"""Like `COMMANDS`, under another heading."""


class Contents(TyperGroup):
    """The group of everything."""

    def __init__(self, **more: Any):
        super().__init__(**more)
        for heading, commands in ((MACHINE, COMMANDS), (FIGURES, SYNTHESIS)):
            for name, what in commands.items():
                self.add_command(Deferred(name, *what, rich_help_panel=heading))
        for name, (summary, heading, members) in GROUPS.items():
            self.add_command(group(name, summary, members, rich_help_panel=heading))


app = typer.Typer(cls=Contents, no_args_is_help=True, pretty_exceptions_enable=False)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(found_at("golden:__version__"))
        raise typer.Exit


@app.callback()
def mixdit(
    version: Annotated[bool, typer.Option(
        "--version", is_eager=True, callback=_show_version, help="Print the version.")] = False,
) -> None:
    """Generate the MixDiT accelerator, run it, measure it, and prove it against its model.

    Example: mixdit verilog --rows 16 --cols 16 -o build/verilog
    """


def main() -> NoReturn:
    """Be the program ``mixdit``."""
    find_folders()
    start(lambda: app(prog_name="mixdit"))
