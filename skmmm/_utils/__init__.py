"""What every room may use: types, docstrings, warnings, calls side by side."""
