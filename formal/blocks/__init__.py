"""Proofs of `hw.blocks`."""
