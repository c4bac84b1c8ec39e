"""Verilog text, and memories."""
