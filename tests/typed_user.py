"""Code of a user, for mypy: what is right passes, what is wrong is found.

mypy reports an ignored error that does not come (``warn_unused_ignores``).
"""

import numpy as np
import pandas as pd

from skmmm import DeepCausalMMMRegressor
from skmmm.effects import effects_of

costs: dict[str, float] = {"tv": 1.0}
priors: dict[str, dict[str, tuple[float, float]]] = {"tv": {"roi": (0.5, 4.0)}}
table = pd.DataFrame({"tv": [1.0, 2.0]})


def right() -> None:
    model = DeepCausalMMMRegressor(
        media=np.array(["tv"]), media_cost=costs, priors=priors
    )
    fitted = model.fit(table, [1.0, 2.0])
    effects = effects_of(fitted, table)
    effects.channel_summary()
    fitted.predict(effects)


def wrong() -> None:
    DeepCausalMMMRegressor(random_state=np.random.default_rng(0))  # type: ignore[arg-type]
    DeepCausalMMMRegressor(adstock="geometrical")  # type: ignore[arg-type]
    DeepCausalMMMRegressor(media_share="high")  # type: ignore[arg-type]
