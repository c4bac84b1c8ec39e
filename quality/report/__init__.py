"""Makes tables, pictures and one page of the records that `mixdit quality evaluate` wrote."""
