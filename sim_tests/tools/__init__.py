"""What looks at the Verilog."""
