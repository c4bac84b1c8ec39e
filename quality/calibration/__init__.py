"""What a policy must know of a model: channel orders, thresholds, sensitivities, rounded weights.

Measured once on the unquantized model's own trajectories, and kept in a small file. `record` reads
that file and needs no torch.
"""
