"""The register map as data, and all that is made from it.

In come the tables of `map`; out come the RTL of `csr`, the page in the docs, the C header and
SystemRDL. All but `csr` need no Amaranth.
"""
