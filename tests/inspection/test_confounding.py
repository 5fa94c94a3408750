"""How strong a confounder must be: the formula against regressions, and the table."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from skmmm import DeepCausalMMMRegressor
from skmmm.inspection import confounding_robustness
from skmmm.inspection._confounding import (
    _control_strength,
    _degrees_of_freedom,
    robustness_value,
)
from skmmm.inspection._endogeneity import _relative_kpi, _relative_spend, _time_terms

N_ROWS, N_CONTROLS = 200, 2


def regress(y, *columns):
    """Return coefficients, residuals and t values of a least-squares regression."""
    X = np.column_stack(columns)
    coef = np.linalg.lstsq(X, y, rcond=None)[0]
    left = y - X @ coef
    degrees = len(y) - X.shape[1]
    sd = np.sqrt(left @ left / degrees * np.diag(np.linalg.inv(X.T @ X)))
    return coef, left, coef / sd


def unit(values):
    return values / np.linalg.norm(values)


@pytest.fixture(params=range(3))
def linear(request):
    """Spend, controls (with a constant) and a KPI that one confounder moves as well."""
    rng = np.random.default_rng(request.param)
    confounder, spend, kpi = rng.normal(size=(3, N_ROWS))
    controls = np.column_stack([np.ones(N_ROWS), rng.normal(size=(N_ROWS, N_CONTROLS))])
    spend = spend + 0.5 * confounder + controls @ [0.0, 0.3, -0.2]
    kpi = kpi + 0.8 * spend + 0.7 * confounder + controls @ [5.0, 0.2, 0.4]
    return spend, controls, kpi, confounder


def bias(r2_spend, r2_kpi, t, coef, degrees):
    """Omitted variable bias from partial R squared (Cinelli and Hazlett, section 4)."""
    size = np.sqrt(r2_kpi * r2_spend / (1.0 - r2_spend) * degrees)
    return size * abs(coef / t)


def test_bias_of_a_known_confounder(linear):
    spend, controls, kpi, confounder = linear
    short, left_kpi, t = regress(kpi, spend, controls)
    long, _, _ = regress(kpi, spend, controls, confounder)
    left_spend = regress(spend, controls)[1]
    r2_spend = np.corrcoef(left_spend, regress(confounder, controls)[1])[0, 1] ** 2
    given = regress(confounder, spend, controls)[1]
    r2_kpi = np.corrcoef(left_kpi, given)[0, 1] ** 2
    degrees = N_ROWS - 1 - controls.shape[1]
    moved = bias(r2_spend, r2_kpi, t[0], short[0], degrees)
    assert_allclose(short[0] - long[0], moved, rtol=1e-9)


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_a_confounder_of_that_strength_lowers_the_effect_by_the_share(linear, share):
    spend, controls, kpi, _ = linear
    short, left_kpi, t = regress(kpi, spend, controls)
    degrees = N_ROWS - 1 - controls.shape[1]
    strength = float(robustness_value(t[0], degrees, share))
    # Three directions, orthogonal to each other and to controls: what is left of
    # spend, what is left of the KPI given spend, and something else.
    noise = np.random.default_rng(9).normal(size=N_ROWS)
    left_spend = unit(regress(spend, controls)[1])
    left_kpi = unit(left_kpi)
    other = unit(regress(noise, left_spend, left_kpi, controls)[1])
    confounder = (
        np.sqrt(strength) * left_spend
        + np.sqrt(strength * (1.0 - strength)) * left_kpi
        + (1.0 - strength) * other
    )
    assert_allclose((confounder @ left_spend) ** 2, strength)
    given = regress(confounder, spend, controls)[1]
    assert_allclose((unit(given) @ left_kpi) ** 2, strength)
    long, _, _ = regress(kpi, spend, controls, confounder)
    assert_allclose(long[0], (1.0 - share) * short[0], rtol=1e-9, atol=1e-12)


def test_strength_between_nothing_and_all():
    assert robustness_value(0.0, 100, 0.5) == 0.0
    assert robustness_value(1e6, 100, 0.5) == pytest.approx(1.0)
    # The example of the reference: t 4.18, 783 degrees of freedom, 13.9 %.
    assert robustness_value(4.18, 783, 1.0) == pytest.approx(0.139, abs=5e-4)


def test_table_of_a_panel(fitted, panel):
    table = confounding_robustness(fitted)
    assert list(table.index) == fitted.media_
    assert list(table) == [
        "robustness_value",
        "control",
        "control_r2_spend",
        "control_r2_kpi",
        "times_strongest_control",
    ]
    assert table["robustness_value"].between(0, 1).all()
    assert set(table["control"]) <= set(panel.controls)
    # Explaining that share of both does what the control does.
    share = table["robustness_value"] / table["times_strongest_control"]
    spend, kpi = table["control_r2_spend"], table["control_r2_kpi"]
    assert_allclose(share**2 / (1.0 - share), kpi * spend / (1.0 - spend))
    stronger = confounding_robustness(make_pipeline(fitted), share=1.0)
    assert (stronger["robustness_value"] > table["robustness_value"]).all()
    # Rows less a mean per region, less channels, controls, season and trend.
    n_season = len(fitted._model.seasons.fourier(fitted._model.history))
    share = fitted._model.network.independent_share
    expected = (3 * 60 - 3) * share - (3 + 2 + n_season + 2)
    assert _degrees_of_freedom(fitted) == pytest.approx(expected)


def test_strength_of_controls_is_that_of_regressions(fitted):
    history = fitted._model.history
    spend = _relative_spend(history.media, history.observed)
    season = _time_terms(fitted._model.seasons.fourier(history), history.shape)
    kpi = _relative_kpi(history.y, history.observed)
    blocks = [spend, history.controls, season, kpi]
    spend, controls, season, kpi = (
        (block - block.mean(axis=1, keepdims=True)).reshape(-1, block.shape[2])
        for block in blocks
    )

    def partial_r2(y, rest, k):
        """Share of what is left that a control explains."""
        without = np.delete(controls, k, axis=1)
        before = regress(y, rest, without)[1]
        after = regress(y, rest, controls)[1]
        return 1.0 - after @ after / (before @ before)

    with_spend, with_kpi = _control_strength(fitted)
    for k in range(controls.shape[1]):
        rest = np.column_stack([spend, season])
        assert with_kpi[k] == pytest.approx(partial_r2(kpi[:, 0], rest, k), abs=1e-6)
        for m in range(spend.shape[1]):
            rest = np.column_stack([np.delete(spend, m, axis=1), season])
            expected = partial_r2(spend[:, m], rest, k)
            assert with_spend[m, k] == pytest.approx(expected, abs=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_without_controls_season_or_effect(series, short_chains):
    X = series.X[series.media].assign(dark=0.0)
    model = DeepCausalMMMRegressor(
        n_draws=4, max_lag=0, max_iter=5, graph=None, random_state=0
    ).fit(X, series.y)
    table = confounding_robustness(model)
    assert table["control"].isna().all()
    assert table.filter(like="control_").isna().all(axis=None)
    assert table["times_strongest_control"].isna().all()
    assert pd.isna(table.loc["dark", "robustness_value"])
    assert table.loc[series.media, "robustness_value"].between(0, 1).all()


def test_what_cannot_be_asked(fitted, chased):
    for share in (0.0, 1.5, "half", np.nan):
        with pytest.raises(ValueError, match=r"share must be in \(0, 1\]"):
            confounding_robustness(fitted, share=share)
    with pytest.raises(ValueError, match="needs draws, but the model was fitted with"):
        confounding_robustness(chased)
    linear = LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
    with pytest.raises(ValueError, match="needs the draws of a DeepCausalMMMRegressor"):
        confounding_robustness(linear)
