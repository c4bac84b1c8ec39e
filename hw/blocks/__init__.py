"""Blocks: from sixteen numbers to an MX block, and from blocks to packets.

In come sixteen FP32, FP16 or BF16 patterns, or chunks of packets; out come aligned blocks, MX6 or
MX9 blocks, and packed chunks.
"""
