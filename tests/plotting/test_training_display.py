"""The picture of training and draws holds what the model says."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge

from skmmm import DeepCausalMMMRegressor
from skmmm.inspection._sampling import limits
from skmmm.plotting import TrainingDisplay

pytestmark = pytest.mark.usefixtures("pyplot")


def test_shows_loss_and_diagnostics_of_the_model(fitted):
    display = TrainingDisplay.from_estimator(fitted)
    assert_allclose(display.loss_.get_ydata(), fitted.loss_curve_)
    steps = np.abs(np.diff(fitted.loss_curve_))
    drawn = display.steps_.get_ydata()
    assert_allclose(drawn[steps > 0], steps[steps > 0])
    table = fitted.sampling_diagnostics_[::-1]
    for name in ("nested_r_hat", "drift", "ess_bulk"):
        shown = np.ma.getdata(display.points_[name].get_offsets())
        assert_allclose(shown[:, 0], table[name])
        assert_allclose(shown[:, 1], np.arange(len(table)))
    labels = [text.get_text() for text in display.axes_[2].get_yticklabels()]
    assert labels == list(table.index)
    assert "r_hat" not in display.points_  # chains are too short


def test_draws_that_are_not_trusted_have_another_colour(fitted):
    table = fitted.sampling_diagnostics_.assign(n_chains=16, n_transitions=8)
    table = table.assign(nested_r_hat=1.0, drift=0.0, acceptance=0.8, r_hat=1.1)
    highest, most = limits(16)
    table.iloc[1, table.columns.get_loc("nested_r_hat")] = highest + 0.01
    table.iloc[2, table.columns.get_loc("drift")] = -most - 0.01
    display = TrainingDisplay(loss=fitted.loss_curve_, diagnostics=table).plot()
    assert display.untrusted_.tolist() == [False, True, True, False]
    colors = display.points_["drift"].get_facecolors()[::-1]
    assert [tuple(c) == tuple(colors[0]) for c in colors] == [True, False, False, True]
    assert "orange: not trusted" in [t.get_text() for t in display.axes_[2].texts][-1]
    at = {line.get_xdata()[0] for line in display.axes_[2].lines}
    assert at == {1.0, highest}
    assert_allclose(display.points_["r_hat"].get_offsets()[:, 0], 1.1)


def test_without_draws_there_is_the_loss(fitted):
    display = TrainingDisplay(loss=fitted.loss_curve_).plot()
    assert len(display.axes_) == 2
    assert display.points_ == {}


def test_says_what_has_no_training():
    with pytest.raises(NotFittedError):
        TrainingDisplay.from_estimator(DeepCausalMMMRegressor())
    ridge = Ridge().fit([[1.0], [2.0]], [1.0, 2.0])
    with pytest.raises(TypeError, match="Ridge tells nothing of its training"):
        TrainingDisplay.from_estimator(ridge)
