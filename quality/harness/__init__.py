"""Draws images under quantization policies and judges them beside those in floating point.

A run is a list of shards: a batch of images, or one probe, of one policy and seed. Each leaves
one file, whoever computes it, so an interrupted run goes on, and processes or GPUs share the work
by sharing the folder. `record` then makes one JSON for each policy and seed from the files alone.
"""
