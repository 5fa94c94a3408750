"""What channels cause, of any fitted estimator or pipeline, and how far to trust it."""

from skmmm.inspection._anchors import priors_from
from skmmm.inspection._brand import brand_effects
from skmmm.inspection._calibration import calibrate_intervals
from skmmm.inspection._compare import compare_models
from skmmm.inspection._confounding import confounding_robustness
from skmmm.inspection._controls import control_summary
from skmmm.inspection._effects import (
    channel_summary,
    contributions,
    marginal_roi,
    response_curve,
)
from skmmm.inspection._frequency import optimal_frequency
from skmmm.inspection._groups import channel_groups
from skmmm.inspection._hill import fit_hill
from skmmm.inspection._payback import payback
from skmmm.inspection._placebo import placebo_channel
from skmmm.inspection._stability import block_stability, refresh_stability

__all__ = [
    "block_stability",
    "brand_effects",
    "calibrate_intervals",
    "channel_groups",
    "channel_summary",
    "compare_models",
    "confounding_robustness",
    "contributions",
    "control_summary",
    "fit_hill",
    "marginal_roi",
    "optimal_frequency",
    "payback",
    "placebo_channel",
    "priors_from",
    "refresh_stability",
    "response_curve",
]
