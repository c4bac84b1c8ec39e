"""Arithmetic of FP32 numbers, which several engines have: their sum, and how results are rounded."""
