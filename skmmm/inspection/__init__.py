"""What channels cause, of any fitted estimator or pipeline, and how far to trust it."""

from skmmm.inspection._effects import (
    channel_summary,
    contributions,
    marginal_roi,
    response_curve,
)
from skmmm.inspection._refutation import (
    block_stability,
    placebo_channel,
    refresh_stability,
)

__all__ = [
    "block_stability",
    "channel_summary",
    "contributions",
    "marginal_roi",
    "placebo_channel",
    "refresh_stability",
    "response_curve",
]
