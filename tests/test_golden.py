"""Files written by an earlier version still load, and a refit still says the same.

``python tests/test_golden.py refit`` writes anew what a refit says, ``... files`` the
files of the earlier version and their answers. Do that only when the model, or the file
format, changes on purpose, and say so in docs/whats_new.rst.
"""

import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skmmm import DeepCausalMMMRegressor
from skmmm.datasets import make_mmm_panel

GOLDEN = Path(__file__).parent / "golden"


def world():
    return make_mmm_panel(3, 40, n_media=2, random_state=7)


def fit(data, n_draws=4):
    model = DeepCausalMMMRegressor(
        media=data.media,
        controls=data.controls,
        region="region",
        time="week",
        max_lag=4,
        n_draws=n_draws,
        random_state=7,
    )
    return model.fit(data.X, data.y)


def answers(model, data):
    """What a user would notice if it changed."""
    interval = np.full((len(data.X), 2), 0.0)
    if model.n_draws:
        interval = model.predict_interval(data.X)
    return {
        "predict": model.predict(data.X).tolist(),
        "low": interval[:, 0].tolist(),
        "high": interval[:, 1].tolist(),
        "contribution": model.channel_summary()["contribution"].tolist(),
        "decay": model.carryover_share_.tolist(),
        "half_saturation": model.half_saturation_.tolist(),
    }


@pytest.fixture(scope="module")
def expected():
    return json.loads((GOLDEN / "answers.json").read_text())


def load_pickle():
    return pickle.loads((GOLDEN / "model.pickle").read_bytes())


def load_file():
    return DeepCausalMMMRegressor.load(GOLDEN / "model.skmmm")


@pytest.mark.parametrize("load", [load_file, load_pickle])
def test_old_files_load_and_answer_as_before(load, expected):
    found = answers(load(), world())
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-8, err_msg=name)


def test_refit_says_the_same():
    # Another processor rounds differently, the mode is found to a tolerance, and draws
    # are others where rounding decides what is accepted.
    expected = json.loads((GOLDEN / "refit.json").read_text())
    for n_draws, by_rounding in ((0, 1.0), (64, 4.0)):
        told = answers(fit(world(), n_draws), world())
        was = expected[str(n_draws)]
        for name in ("predict", "low", "high"):
            assert_allclose(told[name], was[name], rtol=2e-3 * by_rounding)
        assert_allclose(
            told["contribution"], was["contribution"], rtol=0.02 * by_rounding
        )
        assert_allclose(told["decay"], was["decay"], atol=0.02 * by_rounding)


if __name__ == "__main__":
    if sys.argv[1] == "refit":
        told = {n: answers(fit(world(), n), world()) for n in (0, 64)}
        (GOLDEN / "refit.json").write_text(json.dumps(told) + "\n")
    if sys.argv[1] == "files":
        golden = fit(world())
        told = json.dumps(answers(golden, world())) + "\n"
        (GOLDEN / "answers.json").write_text(told)
        golden.save(GOLDEN / "model.skmmm")
        (GOLDEN / "model.pickle").write_bytes(pickle.dumps(golden))
