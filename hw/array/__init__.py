"""The array: which beats to issue, and the cells that multiply and add.

In come tiles that are ready and the operands of each beat; out come anchored sums, one row of cells
after another.
"""
