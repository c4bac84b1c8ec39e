"""What is counted over a job, by whom and how wide."""

from amaranth.lib import data

COUNT_BITS = 48
"""Width of a job's counters: at 500 MHz a cycle counter wraps after six days."""

CONVERSION_COUNTS = data.StructLayout({
    "mx9_units": COUNT_BITS, "nan_blocks": COUNT_BITS, "saturated_elements": COUNT_BITS})
"""What a `ConversionCounter` counts over a job. A unit is one K-block of one tile."""

BEAT_COUNTS = data.StructLayout({
    "beats": COUNT_BITS, "skipped": COUNT_BITS, "act_stalls": COUNT_BITS,
    "weight_stalls": COUNT_BITS, "result_stalls": COUNT_BITS})
"""What a `BeatIssuer` counts over a job."""
