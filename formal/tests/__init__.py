"""Tests of the proofs, and of those who carry them out."""
