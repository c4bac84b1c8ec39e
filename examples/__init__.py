"""Commands that run whole layers through the emitted Verilog and check every bit."""
