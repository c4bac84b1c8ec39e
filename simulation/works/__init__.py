"""Jobs with data of every kind, and what golden makes of them."""
