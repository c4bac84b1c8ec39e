"""What stands between GEMMs: statistics of rows and sums of quantized ones."""
