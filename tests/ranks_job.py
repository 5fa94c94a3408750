"""What a rank of a job does in `test_ranks.py`: ``ranks_job.py SCENARIO FOLDER``."""

import doctest
import os
import pickle
import signal
import sys
from pathlib import Path

from skmmm import DeepCausalMMMRegressor, GroupedRegressor
from skmmm._model import optimise
from skmmm.dask import DaskMMMRegressor
from skmmm.datasets import make_mmm_panel
from skmmm.distributed import ranks

RANK = int(os.environ["RANK"])
world = make_mmm_panel(5, 40, n_media=2, random_state=0)


def unfitted(**parameters):
    settings = {"max_lag": 3, "n_draws": 0, "max_iter": 6, "graph": None}
    return DeepCausalMMMRegressor(
        media=world.media,
        controls=world.controls,
        region="region",
        time="week",
        random_state=0,
        **settings | parameters,
    )


def weights(X):
    """Return weights that differ between rows."""
    return 1.0 + X["week"].rank(method="dense").to_numpy() % 3


def own_rows():
    """Return X and y of this rank, whose regions are not next to each other."""
    number = world.X["region"].str[-1].astype(int)
    own = number % int(os.environ["WORLD_SIZE"]) == RANK
    return world.X[own], world.y[own]


def fit(model):
    X, y = own_rows()
    return model.fit(X, y, weights(X))


def raised(call):
    """Return what a call raises, in words."""
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def break_down(*_):
    raise ArithmeticError("of all things")


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def computing(rank, instead, call):
    """Call a function while one rank does something else instead of training."""
    before = optimise._alternate
    if rank == RANK:
        optimise._alternate = instead
    try:
        return call()
    finally:
        optimise._alternate = before


def fit_and_fail():
    """Fit well, in all ways badly, and well again."""
    model, (X, y) = fit(unfitted()), own_rows()
    before = dict(vars(model))
    told = {
        "short y": raised(lambda: model.fit(X, y[RANK:])),
        "other columns": raised(lambda: model.fit(X.iloc[:, RANK:], y)),
        "weights": raised(lambda: model.fit(X, y, weights(X) if RANK else None)),
        "y is NaN": raised(lambda: model.fit(X, y * float("nan"))),
        "few regions": raised(lambda: model.fit(X.assign(region="a", week=X.index), y)),
        "parameters": raised(lambda: fit(unfitted(max_iter=6 + RANK))),
        "groups": raised(lambda: GroupedRegressor(model, by="region").fit(X, y)),
        "partial fit": raised(lambda: model.partial_fit(X, y)),
        "Dask": raised(lambda: DaskMMMRegressor(model).fit(X, "sales")),
        "failed in 0": raised(lambda: computing(0, break_down, lambda: fit(model))),
        "failed in 1": raised(lambda: computing(1, break_down, lambda: fit(model))),
    }
    assert vars(model) == before
    found = model.predict(world.X)
    return {"told": told, "found": found, "again": fit(model).predict(world.X)}


def shape_in_example():
    """Run the example in the docstring, in a block of its own."""
    parts = doctest.DocTestParser().get_examples(ranks.__doc__)
    *lines, last = [part.source for part in parts]
    names = {}
    exec("".join(lines).replace("n_draws=0", "n_draws=0, max_iter=2"), names)
    return eval(last, names)


def leave_early():
    """Let rank 1 leave without having fitted; return what each rank raises."""

    def block():
        with ranks():
            if RANK == 1:
                raise LookupError("no rows")
            fit(unfitted())

    return raised(block)


def lose_the_last():
    """Fit until the last of three ranks dies."""
    model = unfitted()
    size = int(os.environ["WORLD_SIZE"])
    told = raised(lambda: computing(size - 1, die, lambda: fit(model)))
    return {"told": told, "left": sorted(vars(model)) == sorted(vars(unfitted()))}


if __name__ == "__main__":
    scenario, folder = sys.argv[1:]
    with ranks():
        result = globals()[scenario]()
    if scenario == "fit_and_fail":
        result["example"] = shape_in_example()
        result["told"]["left early"] = leave_early()
    (Path(folder) / f"rank_{RANK}").write_bytes(pickle.dumps(result))
