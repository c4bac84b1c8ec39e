"""Which lines, branches, bits and kinds of jobs the benches reach: ``mixdit check coverage``."""
