"""Arithmetic of FP32 numbers."""
