"""Tables, pictures and the page of a performance study."""

from perf.studies.report.claims import make_claims
from perf.studies.report.document import make_page
from perf.studies.report.pareto import Design, designs
from perf.studies.report.record import layers_record, study_record
from perf.studies.report.sensitivity import (
    assumption_table,
    assumptions_record,
    study_assumptions,
)
from perf.studies.report.speedups import claim_table, latency_table, layer_table, speedup_table
from perf.studies.report.study import Entry, Study, make_study
from perf.studies.report.sweeps import front_table, refusal_table

__all__ = ["Design", "Entry", "Study", "assumption_table", "assumptions_record",
           "claim_table", "designs",
           "front_table", "latency_table", "layer_table", "layers_record", "make_claims",
           "make_page", "make_study", "refusal_table", "speedup_table", "study_assumptions",
           "study_record"]
