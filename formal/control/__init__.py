"""Proofs of `hw.control`."""
