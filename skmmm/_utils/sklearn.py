"""What skmmm takes from scikit-learn beyond its public interface, in one place.

These names have no public counterpart. They are used for what makes an estimator behave
as scikit-learn's own do: the same errors for parameters out of range, the same reading
of sample weights, rows taken from any container. A release of scikit-learn that moves
one of them breaks this file only; the tests run against the bounds of pyproject.toml.
"""

from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    Options,
    StrOptions,
    validate_params,
)
from sklearn.utils.validation import _check_sample_weight as check_sample_weight
from sklearn.utils.validation import _num_samples as num_samples

__all__ = [
    "HasMethods",
    "Interval",
    "Options",
    "StrOptions",
    "check_sample_weight",
    "num_samples",
    "safe_indexing",
    "validate_params",
]
