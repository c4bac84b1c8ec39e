"""Proofs of `hw.registers`."""
