"""Tables, pictures and the page of a performance study."""

from perf.report.claims import Claim, make_claims
from perf.report.document import make_page
from perf.report.pareto import Design, designs
from perf.report.record import layers_record, study_record
from perf.report.sensitivity import (
    assumption_table,
    assumptions_record,
    study_assumptions,
)
from perf.report.speedups import claim_table, latency_table, layer_table, speedup_table
from perf.report.study import Entry, Study, make_study
from perf.report.sweeps import front_table, refusal_table
from perf.report.tables import Column, Table

__all__ = ["Claim", "Column", "Design", "Entry", "Study", "Table", "assumption_table",
           "assumptions_record", "claim_table", "designs",
           "front_table", "latency_table", "layer_table", "layers_record", "make_claims",
           "make_page", "make_study", "refusal_table", "speedup_table", "study_assumptions",
           "study_record"]
