"""How fast and how large the machine is.

`perf.rtl` is what is measured of the RTL. `perf.studies` are estimates of machines that no RTL has
in whole, from what was measured. `perf.workloads` are the models that both speak of.
"""
