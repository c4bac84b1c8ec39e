"""Which code and data the figures of whole models are computed from."""

from reporting.version import code_version

SOURCES = ("golden/*.py", "hw/**/*.py", "perf/rtl/schedule/*.py", "perf/rtl/ppa/*.json",
           "perf/workloads/*.py", "perf/workloads/models.json", "perf/studies/*.py",
           "perf/studies/gpu/*.py", "perf/studies/system/*", "perf/studies/presets/*.toml",
           "perf/studies/sweep/evaluate.py", "perf/studies/sweep/point.py")
"""Everything that a point's figures can depend on, and more: a change too many only costs time."""


def figures_version() -> str:
    """Return the version of `SOURCES`, as `reporting.version.code_version` gives it."""
    return code_version(SOURCES)
