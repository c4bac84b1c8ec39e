"""Benches of the emitted Verilog, compared bit by bit with the golden model.

Files that do not begin with ``test_`` are the library that drives a simulated machine; `examples`
and `perf` use it too.
"""
