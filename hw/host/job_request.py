"""A job as software asks for it."""

from dataclasses import dataclass

from hw.contract.job_codes import FORMAT_CODES, JobKind, Output, Selection
from hw.registers.codes import JobFlag


@dataclass(frozen=True, kw_only=True)
class Job:
    """One GEMM, C[m, n] = A[m, k]·B[k, n], or the conversion of a B[k, n].

    Attributes
    ----------
    kind : JobKind
    m, n, k : int
        A conversion has no `m`.
    tiles : int
        Token tiles of A that stay on chip while B streams by once; see `resident_tiles`.
    float_format : str
        Of the activations: "fp32", "fp16" or "bf16".
    output : Output
        Format of a GEMM's results.
    bias : bool
        FP32 biases head each column tile's weights.
    reorder : bool
        Put the channels into the order of `table`.
    measure : bool
        Record each channel's largest magnitude.
    table : int
        Calibration table, for `reorder` and for STATIC.
    selection : Selection
    units : int
        For TOP: MX9 K-blocks per tile. For HEAD: 1 if every K-block is MX9, else 0.
    threshold : int
        For THRESHOLD: FP32 pattern that an MX9 K-block's magnitude exceeds.
    """

    kind: JobKind = JobKind.GEMM
    m: int = 1
    n: int
    k: int
    tiles: int = 1
    float_format: str = "fp32"
    output: Output = Output.FP32
    bias: bool = False
    reorder: bool = False
    measure: bool = False
    table: int = 0
    selection: Selection = Selection.TOP
    units: int = 0
    threshold: int = 0

    @property
    def converts(self):
        """Whether the job makes packed weights and no products."""
        return self.kind in (JobKind.CONVERT, JobKind.CONVERT_TRANSPOSED)

    @property
    def is_packed(self):
        """Whether the results are MX blocks."""
        return self.output in (Output.MX6, Output.MX9)

    @property
    def reads_tags(self):
        """Whether the job reads the static tags of its table; packed activations need none."""
        return self.selection is Selection.STATIC and self.kind is not JobKind.GEMM_PACKED

    @property
    def uses_table(self):
        """Whether the job reads its table at all."""
        return self.reorder or self.reads_tags

    def registers(self):
        """Give the job registers' values, by register name."""
        flags = JobFlag.BIAS * self.bias | JobFlag.REORDER * self.reorder
        return {
            "JOB_KIND": self.kind.value,
            "JOB_M": self.m, "JOB_N": self.n, "JOB_K": self.k, "JOB_TILES": self.tiles,
            "JOB_FORMAT": FORMAT_CODES[self.float_format], "JOB_OUTPUT": self.output.value,
            "JOB_FLAGS": int(flags | JobFlag.MEASURE * self.measure),
            "JOB_TABLE": self.table, "JOB_SELECTION": self.selection.value,
            "JOB_UNITS": self.units, "JOB_THRESHOLD": self.threshold,
        }
