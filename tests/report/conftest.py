"""What several tests of the report share."""

import pytest

from skmmm import DeepCausalMMMRegressor


@pytest.fixture(scope="module")
def national(series):
    model = DeepCausalMMMRegressor(
        media=series.media,
        controls=series.controls,
        time="week",
        max_lag=5,
        n_draws=0,
        max_iter=40,
        random_state=0,
    )
    X = series.X.drop(columns="region")
    return model.fit(X, series.y), X, series.y
