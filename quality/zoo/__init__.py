"""Miniatures of diffusers' transformers, and a table of what quantization does to each."""
