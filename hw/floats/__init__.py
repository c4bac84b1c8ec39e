"""Arithmetic of FP32 numbers that several engines have: their sum, and how results are rounded."""
