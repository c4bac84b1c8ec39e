"""Proofs of `hw.activations`."""
