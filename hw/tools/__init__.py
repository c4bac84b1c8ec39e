"""What looks at the emitted Verilog: lint, time and size, and the list of its memories."""
