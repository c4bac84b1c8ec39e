"""The test plan as data, and the tables of docs/testplan.md that are made of it."""
