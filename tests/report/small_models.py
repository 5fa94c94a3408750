"""Models of few draws that reports are written of."""

from skmmm import DeepCausalMMMRegressor


def fitted_shortly(series, X, **roles):
    """Return a model of one series, and the rows and KPI of its fit."""
    model = DeepCausalMMMRegressor(
        media=series.media,
        time="week",
        max_lag=3,
        n_draws=8,
        max_iter=10,
        graph=None,
        random_state=0,
        **roles,
    )
    return model.fit(X, series.y), X, series.y
