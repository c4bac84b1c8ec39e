"""The register map and its products."""
