"""Where what coming periods repeat has gaps, or is nothing."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from future_tables import LAST, SERIES, future, series, two_regions
from skmmm import DeepCausalMMMRegressor
from skmmm.__main__ import main
from skmmm.scenarios import make_future_frame


@pytest.fixture
def X():
    return two_regions()


def test_short_gaps_are_filled_from_neighbouring_weeks(X):
    weeks = X["week"].unique()
    gap = X[(X["region"] == "A") | ~X["week"].isin(weeks[9:11])]
    filled = (
        r"no row for region 'B', week 2021-03-08; region 'B', week 2021-03-15, which "
        ".* mean of the nearest rows before and after in its region; columns in which "
        "regions never differ are as in others. Add"
    )
    with pytest.warns(UserWarning, match=filled) as caught:
        made = future(gap, 4)
    assert len(caught) == 1
    in_b = made[made["region"] == "B"]
    assert_array_equal(in_b["tv"], [1108, (1108 + 1111) / 2, (1108 + 1111) / 2, 1111])
    assert_allclose(in_b["price"], 11 + np.array([8, 9.5, 9.5, 11]) / 8)
    whole = future(X, 4)
    assert_array_equal(made["promo"], whole["promo"])
    assert_array_equal(made[made["region"] == "A"], whole[whole["region"] == "A"])


def test_short_gaps_of_one_series_and_of_days():
    weekly = series([*range(10), *range(11, 53)])
    with pytest.warns(UserWarning, match="row for t 10, .* before and after. Add"):
        made = make_future_frame(weekly, 10, **SERIES)
    assert made["tv"].iloc[-1] == 9.5
    day = pd.date_range("2022-01-03", periods=380, freq="D")
    days = pd.DataFrame({"t": day, "tv": 100.0 * (np.arange(380) % 7)})
    with pytest.warns(UserWarning, match="nearest rows of its weekday before"):
        made = make_future_frame(days.drop(index=[18, 376]), 10, **SERIES)
    assert_array_equal(made["tv"], days["tv"][16:26])
    with pytest.warns(UserWarning, match="row for t 2023-01-14, which"):
        made = make_future_frame(days.drop(index=376), 5, **SERIES, spend=LAST)
    assert_array_equal(made["tv"], days["tv"][375:])


def test_long_gaps_in_what_is_to_be_repeated(X):
    weeks = X["week"].unique()
    gap = X[(X["region"] == "A") | ~X["week"].isin(weeks[9:14])]
    match = "repeats region 'B', week 2021-03-08, but X has no row for it"
    with pytest.raises(ValueError, match=match):
        future(gap)
    assert len(future(gap, 1)) == 2
    late = X[(X["region"] == "A") | ~X["week"].isin(weeks[:10])]
    with pytest.raises(ValueError, match="repeats region 'B', week 2021-03-01, but"):
        future(late)


def test_numbers_are_divided_by_rows_of_x_only(X):
    gap = X[(X["region"] == "A") | (X["week"] != "2021-03-08")]
    plan = {"spend": {"tv": 40, "search": 40}, "control_values": {"price": 1}}
    plan["control_values"]["promo"] = LAST
    assert_allclose(future(gap, 2, **plan)["search"], [10, 30, 10, 30])


def test_channels_that_began_less_than_a_year_ago(X):
    new = X.assign(tv=np.where(np.arange(120) < 40, 0.0, X["tv"]))
    said = r"No spend in the coming periods for \['tv'\]: what is repeated .*\(3, spend"
    for spend in ("last_year", {"tv": "last_year", "search": 1.0}):
        with pytest.warns(UserWarning, match=said):
            assert not future(new, spend=spend)["tv"].any()
    assert future(new, spend="last_periods")["tv"].all()
    assert not future(new, spend={"tv": 0.0, "search": "last_year"})["tv"].any()
    assert future(new, 20)["tv"].any()
    assert not future(X.assign(tv=0.0))["tv"].any()
    pause = X.assign(tv=np.where(np.arange(120) // 2 % 52 == 7, 1.0, 0.0))
    assert not future(pause)["tv"].any()


def test_plans_of_coming_periods_survive_a_gap(panel, fast, tmp_path, capsys):
    weeks = np.unique(panel.X["week"])
    gap = (panel.X["region"] == "region_2") & (panel.X["week"] == weeks[10])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = DeepCausalMMMRegressor(**fast).fit(panel.X[~gap], panel.y[~gap])
    said = "X has no row for region 'region_2', week 2021-03-15, which the coming"
    with pytest.warns(UserWarning, match=said):
        plan = model.optimize_budget(horizon=4)
    assert plan.X["week"].nunique() == 4
    model.save(tmp_path / "model.skmmm")
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert main(["plan", str(tmp_path / "model.skmmm"), "--horizon", "4"]) == 0
    assert f"warning: {said}" in capsys.readouterr().err
