"""All engines together, between the streams."""
