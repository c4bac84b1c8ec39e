"""Studies of machines that are estimates: whole models on many cores, beside GPUs."""
