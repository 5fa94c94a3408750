"""What every room may use: types, docstrings, warnings, names of scikit-learn."""
