"""Proofs of `hw.operands`."""
