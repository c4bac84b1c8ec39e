"""Proofs of `hw.vector`."""
