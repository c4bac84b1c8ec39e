"""Proofs of `hw.memory`."""
