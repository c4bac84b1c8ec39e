"""What the reports of `perf` and `quality` are made with: tables, claims, pages, versions."""
