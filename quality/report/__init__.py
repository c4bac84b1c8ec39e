"""Makes tables, pictures and one page of the records that `python -m quality evaluate` wrote."""
