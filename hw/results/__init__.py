"""The way of the results, from anchored sums to ``m_axis_out``.

In come sums and their anchors; out come packets of FP32, FP16 or BF16 rows, or of MX blocks.
"""
