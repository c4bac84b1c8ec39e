"""The accelerator's Verilog behind a compiled harness: whole jobs at the model's own speed."""
