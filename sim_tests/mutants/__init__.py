"""Netlist mutants: small mistakes in the netlist of a module, which its bench has to see.

A *mutant* inverts a bit of one cell's port, holds it at 0 or 1, or makes it depend on another bit.
All mutants of a bench are in one model, behind an input that selects one; the bench's tests run
once for each until one fails. What survives is held against the good netlist by a SAT solver, or
runs in the benches of the accelerator.
"""
