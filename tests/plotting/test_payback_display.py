"""The picture of payback holds what the model says."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from skmmm import plotting

pytestmark = pytest.mark.usefixtures("pyplot")


@pytest.mark.filterwarnings("ignore:max_lag cuts off")
def test_payback_holds_what_the_model_says(fitted):
    channel = fitted.media_[2]
    display = plotting.PaybackDisplay.from_estimator(
        fitted, channels=[channel], shares=(0.8,)
    )
    expected = fitted.payback(shares=(0.8,)).loc[[channel]]
    pd.testing.assert_frame_equal(display.payback, expected)
    (time,), (share,) = display.points_[0].get_data()
    assert (time, share) == (expected["t80"].item(), 0.8)
    after, total = display.lines_[0].get_data()
    assert_allclose(total, [0.0, *fitted.carryover_[2].cumsum()])
    assert np.interp(time, after, total) == pytest.approx(0.8)
    row = expected.iloc[0]
    said = display.notes_[0].get_text()
    assert row["verdict"] in said
    assert (f"max_lag cuts off {row['cut_off']:.0%}" in said) == row["truncated"]
    with pytest.raises(ValueError, match="channels names 'tv', which is not one of"):
        plotting.PaybackDisplay.from_estimator(fitted, channels=["tv"])
