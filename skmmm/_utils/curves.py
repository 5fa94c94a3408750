"""The curve along which the response to spend levels off."""

import numpy as np
from scipy.special import expit

from skmmm._utils.typing import Array


def hill(spend: Array, half_saturation: Array | float, slope: Array | float) -> Array:
    """Return the share of the full response, x^s / (x^s + k^s), of any spend >= 0."""
    # As expit(s (log x - log k)) it neither overflows for large powers nor divides by
    # zero; log 0 is -inf, the response there 0.
    with np.errstate(divide="ignore"):
        log_spend = np.log(spend)
    return expit(slope * (log_spend - np.log(half_saturation)))
