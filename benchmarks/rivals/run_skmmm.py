"""skmmm with its defaults.

python run_skmmm.py FOLDER
"""

import numpy as np
from exchange import answer_all

# What a first fit would import: the others import theirs before the clock starts, too.
import skmmm._estimator.fitting  # noqa: F401
from skmmm import DeepCausalMMMRegressor


def fit(X, y, roles):
    model = DeepCausalMMMRegressor(**roles, media_cost=1.0, random_state=0).fit(X, y)
    parts = model.contributions(X)[roles["media"]].to_numpy()
    summary = model.channel_summary(X).loc[roles["media"]]
    ends = ["contribution_low", "contribution_high"]
    # Two points whose 5 % and 95 % quantiles are the ends of the intervals.
    low, high = summary[ends].to_numpy().T
    margin = (high - low) / 18.0
    return parts, np.array([low - margin, high + margin])


if __name__ == "__main__":
    answer_all("skmmm", fit)
