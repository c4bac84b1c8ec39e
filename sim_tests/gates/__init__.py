"""The benches on netlists of library cells: ``mixdit check gates``."""
