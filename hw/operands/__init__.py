"""Operand memories: token tiles of A and column tiles of B, written behind, read ahead.

In come blocks with their precision, and packets of weights; out come a base or a residual per lane
and beat, aligned to the anchor of its sum.
"""
