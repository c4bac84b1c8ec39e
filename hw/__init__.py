"""The accelerator: AMBA ports, registers, gates; and the engines, which an abort resets."""
