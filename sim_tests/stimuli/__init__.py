"""Jobs, packets and operands that benches feed, and what golden makes of them."""
