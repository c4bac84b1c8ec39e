"""Streams: buffers between stages, and what watches or steers packets.

In come beats with valid and ready; out come the same beats, later, checked, or held back.
"""
