"""The accelerator in Verilator, driven by a compiled harness: whole jobs at the model's own speed."""
