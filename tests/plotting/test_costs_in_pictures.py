"""Pictures of media of which some have no cost."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone

from skmmm import plotting
from skmmm.plotting._regions import media_by_region

pytestmark = pytest.mark.usefixtures("pyplot", "short_chains")


def test_media_without_a_cost_have_no_return_beside_paid_ones(panel, fitted):
    cost = dict.fromkeys(panel.media[:2], 1.0)
    model = clone(fitted).set_params(media_cost=cost, max_iter=10, graph=None)
    model.fit(panel.X, panel.y)
    free = panel.media[2]
    returns = plotting.ReturnsDisplay.from_estimator(model, returns="both").summary
    assert returns.loc[free, ["roi", "roi_high", "mroi"]].isna().all()
    assert returns.loc[panel.media[:2], "roi"].notna().all()
    shares = plotting.SpendShareDisplay.from_estimator(model)
    shares.figure_.canvas.draw()
    assert np.isnan(shares.summary.loc[free, "spend"])
    regions = media_by_region(model)
    paid = panel.X.groupby("region")[panel.media[:2]].sum().sum(axis=1)
    assert_allclose(regions["spend"], paid)
    assert (
        plotting.VerdictsDisplay.from_estimator(model).texts_[free][2].get_text() == "–"
    )
