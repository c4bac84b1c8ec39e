"""Proofs of `hw.array`."""
