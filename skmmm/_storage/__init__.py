"""A fitted model as a file of arrays and JSON."""
