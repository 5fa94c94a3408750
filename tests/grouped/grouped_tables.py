"""Rows of brands and markets, and estimators of them that are quick."""

from skmmm import DeepCausalMMMRegressor
from skmmm.baselines import make_linear_mmm
from skmmm.datasets import make_mmm_panel
from skmmm.inspection._side_by_side import paired_draws

CELLS = {("a", "n"): 0, ("a", "s"): 1, ("b", "n"): 2}  # brand, market: seed
MEDIA = ["media_1", "media_2"]
QUICK = DeepCausalMMMRegressor(
    media=MEDIA,
    controls=["price", "holiday"],
    time="week",
    graph=None,
    n_draws=8,
    max_iter=20,
    random_state=0,
)
LINEAR = make_linear_mmm(media=MEDIA, controls=["price"], time="week")


def one_world(seed):
    world = make_mmm_panel(1, 60, n_media=2, random_state=seed)
    return world.X.drop(columns="region"), world.y.to_numpy()


def own_rows(X, key):
    """Return which rows are of a group, and what its estimator sees of them."""
    mask = ((X["brand"] == key[0]) & (X["market"] == key[1])).to_numpy()
    return mask, X[mask].drop(columns=["brand", "market"])


def paired(key, draws):
    """Return draws of a group in the order in which they stand beside others."""
    return draws[paired_draws(sorted(CELLS).index(key), len(draws), len(draws))]
