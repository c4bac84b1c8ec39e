"""The way of the activations, from ``s_axis_act`` to blocks in their precision.

In come packets of rows, of numbers or of MX blocks; out come aligned blocks in the order of the
table, each with the precision that the outlier detector or the policy chose.
"""
