"""From numbers to blocks and packets."""
