"""Tests of the golden model, and what they share."""
