"""Many machines at once: every combination of some parameters, on processes or on a cluster."""

from perf.studies.sweep.grid import DEFAULT, Grid, GridError, parse_axes, parse_axis, read_grid
from perf.studies.sweep.point import AXES, Point, Value
from perf.studies.sweep.runner import ClusterError, cluster, processes, run
from perf.studies.sweep.store import Record, Store, StoreError
from perf.studies.sweep.version import figures_version

__all__ = ["AXES", "DEFAULT", "ClusterError", "Grid", "GridError", "Point", "Record", "Store",
           "StoreError", "Value", "cluster", "figures_version", "parse_axes", "parse_axis",
           "processes", "read_grid", "run"]
