"""Proofs of `hw.streams`."""
