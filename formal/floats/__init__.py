"""Proofs of `hw.floats`."""
