"""Proofs of modules of `hw` for all inputs and all times, by k-induction: ``mixdit check formal``.

A proof puts a module into a harness (`formal.harness`) whose inputs are free, and states checks.
Yosys makes a transition relation of it (`formal.netlist`), and the solver Yices answers two
questions (`formal.solver`): whether a check can fail in the first cycles, and whether one can fail
in a cycle if none did in the cycles before. The files lie as those of `hw` do.
"""
