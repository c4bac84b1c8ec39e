"""Proofs of `hw.results`."""
