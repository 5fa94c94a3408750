"""Warnings that point at the line of the user."""

import contextlib
import os
import sys
import warnings
from pathlib import Path

import joblib
import sklearn

# What lies between the user and a warning; Python 3.12 has `skip_file_prefixes`.
_INSIDE = (
    str(Path(__file__).parents[1]) + os.sep,
    *(str(Path(module.__file__).parent) + os.sep for module in (sklearn, joblib)),
    contextlib.__file__,
)


def warn_user(message: str | Warning, category: type[Warning] = UserWarning) -> None:
    """Warn, with the first line outside of skmmm and scikit-learn as the place."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_INSIDE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
