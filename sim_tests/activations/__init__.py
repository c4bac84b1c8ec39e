"""The way of the activations."""
