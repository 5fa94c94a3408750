"""Parts of a change of ROI are those that refits show, and add up to it."""

import copy
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

from helpers import refuses, refuses_from, split_at
from skmmm import DeepCausalMMMRegressor
from skmmm.baselines import make_linear_mmm
from skmmm.inspection import channel_summary, compare_models
from skmmm.inspection._compare import State, _call, _refitted

PARTS = ["data", "settings", "seed", "refresh"]
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.usefixtures("short_chains"),
]


@pytest.fixture(scope="module")
def quick(arguments):
    return arguments | {"max_iter": 8, "n_draws": 2, "n_harmonics": 1, "graph": None}


@pytest.fixture(scope="module")
def halves(panel):
    """Rows before and from week 56 of sixty on, and the KPI of both."""
    return split_at(panel.X, panel.y, 56)


@pytest.fixture(scope="module")
def old(quick, halves, short_chains):
    return DeepCausalMMMRegressor(**quick).fit(halves[0], halves[2])


@pytest.fixture(scope="module")
def new(quick, panel, short_chains):
    return DeepCausalMMMRegressor(**quick).fit(panel.X, panel.y)


@pytest.fixture(scope="module")
def refreshed(old, halves):
    return copy.deepcopy(old).partial_fit(halves[1], halves[3])


@pytest.fixture
def fits(monkeypatch):
    """How many rows each fit had, in their order."""
    counts, fit = [], DeepCausalMMMRegressor.fit

    def counted(self, X, y, sample_weight=None):
        counts.append(len(X))
        return fit(self, X, y, sample_weight)

    monkeypatch.setattr(DeepCausalMMMRegressor, "fit", counted)
    return counts


def assert_adds_up(table):
    assert_allclose(table[PARTS].sum(axis=1), table["change"], atol=1e-12)


def refitted(model):
    """ROI of all training rows by a model fitted again to what `model` keeps."""
    told = model._fitted_to()
    everything = np.ones(len(told.y), dtype=bool)
    state = State(1, 1, model.random_state)
    return _refitted(*_call(model, [None, told], [None, everything], state))


# What a change is made of


def test_more_rows_need_no_refit_of_the_old_model(old, new, fits):
    table = compare_models(old, new)
    assert fits == [180]  # for the noise of the seed
    assert (table["change"] != 0).all()
    assert_array_equal(table["data"], table["change"])
    assert not table[["settings", "seed", "refresh"]].any(axis=None)
    assert (table["seed_noise"] > 0).all()


def test_both_are_asked_about_the_rows_of_the_old_model(old, new, halves):
    table = compare_models(old, new)
    assert_allclose(table["roi_old"], channel_summary(old)["roi"])
    assert_array_equal(table["reported_old"], channel_summary(old)["roi"])
    assert_array_equal(table["reported_new"], channel_summary(new)["roi"])
    of_old_rows = channel_summary(new, halves[0])
    assert_allclose(
        table["roi_new"], of_old_rows["contribution"] / of_old_rows["spend"]
    )
    assert (table["roi_new"] != table["reported_new"]).all()


def test_settings_alone(new, quick, panel, fits):
    other = DeepCausalMMMRegressor(**quick | {"adstock": "geometric"})
    other.fit(panel.X, panel.y)
    fits.clear()
    table = compare_models(new, other)
    assert fits == [180]
    assert_array_equal(table["settings"], table["change"])
    assert not table[["data", "seed", "refresh"]].any(axis=None)


def test_settings_that_move_no_roi_are_no_change(new, quick, panel, fits):
    asked = {"gap": "mask", "unseen_region": "average", "effect_drift": 0.1}
    other = DeepCausalMMMRegressor(**quick | asked).fit(panel.X, panel.y)
    table = compare_models(new, other)
    assert not table[["change", *PARTS]].any(axis=None)


def test_seed_alone_needs_no_refit(new, quick, panel, fits):
    other = DeepCausalMMMRegressor(**quick | {"random_state": 7}).fit(panel.X, panel.y)
    fits.clear()
    table = compare_models(new, other)
    assert fits == []
    assert_array_equal(table["seed"], table["change"])
    assert_array_equal(table["seed_noise"], table["change"].abs())


def test_unknown_seeds_add_up(quick, panel, fits):
    unknown = DeepCausalMMMRegressor(**quick | {"random_state": None})
    models = [copy.copy(unknown).fit(panel.X, panel.y) for _ in range(2)]
    fits.clear()
    table = compare_models(*models)
    assert fits == [180]
    assert_array_equal(table["seed"], table["change"])


def test_nothing_differs(new, fits):
    for same in (new, pickle.loads(pickle.dumps(new))):
        table = compare_models(new, same)
        assert not table[["change", *PARTS]].any(axis=None)
        assert not table["outside"].any()
        assert (table["seed_noise"] > 0).all()
    assert fits == [180, 180]


def test_order_of_rows_and_columns_is_no_change(new, quick, panel):
    order = np.random.default_rng(0).permutation(len(panel.X))
    X = panel.X.iloc[order, ::-1]
    other = DeepCausalMMMRegressor(**quick).fit(X, np.asarray(panel.y)[order])
    table = compare_models(new, other)
    assert_allclose(table[["change", *PARTS]], 0.0, atol=1e-9)
    assert not table["data"].any() or not table["seed"].any()


def test_average_over_orders(old, quick, panel, halves, fits):
    changed = quick | {"max_lag": 3}
    other = DeepCausalMMMRegressor(**changed).fit(panel.X, panel.y)
    rest = {
        "data": DeepCausalMMMRegressor(**quick).fit(panel.X, panel.y),
        "settings": DeepCausalMMMRegressor(**changed).fit(halves[0], halves[2]),
    }
    fits.clear()
    table = compare_models(old, other)
    assert sorted(fits) == [168, 180, 180]  # two corners, and the noise of the seed
    assert_adds_up(table)

    def roi(model):
        summary = channel_summary(model, halves[0])
        return summary["contribution"] / summary["spend"]

    before, after = roi(old), roi(other)
    first = roi(rest["data"]) - before
    last = after - roi(rest["settings"])
    assert_allclose(table["data"], (first + last) / 2, rtol=1e-6, atol=1e-9)


def test_all_three_differ(old, quick, panel, fits):
    changed = {"adstock": "geometric", "random_state": 5}
    other = DeepCausalMMMRegressor(**quick | changed).fit(panel.X, panel.y)
    fits.clear()
    table = compare_models(old, other)
    assert sorted(fits) == [168] * 3 + [180] * 3
    assert_adds_up(table)
    assert (table[["data", "settings", "seed"]] != 0).all(axis=None)
    assert not table["refresh"].any()


def test_refresh_in_place_of_a_fit(old, new, refreshed, fits):
    table = compare_models(old, refreshed)
    assert fits == [180, 180]  # all rows at once, and with another seed
    assert_adds_up(table)
    assert (table["refresh"] != 0).all()
    assert not table[["settings", "seed"]].any(axis=None)
    # What rows change is what they change in a fit.
    assert_allclose(table["data"], compare_models(old, new)["change"], atol=1e-9)


def test_fit_in_place_of_a_refresh(new, refreshed, fits):
    back = compare_models(refreshed, new)
    assert fits == [180, 180]
    assert_allclose(back["refresh"], back["change"], atol=1e-9)
    assert_allclose(back[["data", "settings", "seed"]], 0.0, atol=1e-9)


def test_outside_is_about_the_old_interval(old, new):
    table = compare_models(old, new, confidence_level=0.01)
    expected = ~table["roi_new"].between(table["roi_old_low"], table["roi_old_high"])
    assert expected.any()
    assert_array_equal(table["outside"], expected)
    assert table["outside"].dtype == bool


def test_without_draws_there_is_no_interval(quick, panel):
    points = [
        DeepCausalMMMRegressor(**quick | {"n_draws": 0, "random_state": seed})
        for seed in (0, 1)
    ]
    table = compare_models(*(model.fit(panel.X, panel.y) for model in points))
    assert table["roi_old_low"].isna().all()
    assert not table["outside"].any()
    assert table["verdict_old"].isna().all()


def test_refits_side_by_side(old, refreshed):
    table = compare_models(old, refreshed)
    with joblib.parallel_config("threading"):
        again = compare_models(old, refreshed, n_jobs=2)
    pd.testing.assert_frame_equal(again, table, check_exact=True)


# Other channels, other rows


def test_channel_of_one_model_alone(quick, panel, new):
    X = panel.X.drop(columns="media_2").assign(radio=panel.X["media_2"][::-1].values)
    priors = {"radio": {"roi": (0.5, 5.0)}, "media_1": {"roi": (0.5, 5.0)}}
    other = DeepCausalMMMRegressor(**quick | {"priors": priors}).fit(X, panel.y)
    table = compare_models(new, other)
    assert list(table.index) == ["media_1", "media_2", "media_3", "radio"]
    alone = table.loc[["media_2", "radio"]]
    assert alone[["change", *PARTS]].isna().all(axis=None)
    assert not alone["outside"].any()
    assert table.loc["media_2", "roi_old"] == table.loc["media_2", "reported_old"]
    assert np.isnan(table.loc["media_2", "roi_new"])
    assert np.isnan(table.loc["radio", "roi_old"])
    assert table.loc["radio", "roi_new"] > 0
    both = table.loc[["media_1", "media_3"]]
    assert_adds_up(both)
    assert (both[["data", "settings"]] != 0).all(axis=None)


def test_what_earlier_rows_carry_over_is_left_out(quick, panel, new, halves):
    _, later, _, kpi = split_at(panel.X, panel.y, 10)
    other = DeepCausalMMMRegressor(**quick).fit(later, kpi)
    table = compare_models(new, other)
    _, asked, _, _ = split_at(panel.X, panel.y, 10 + quick["max_lag"])
    summary = channel_summary(new, asked)
    assert_allclose(table["roi_old"], summary["contribution"] / summary["spend"])


def test_corrected_kpi_is_new_data(old, quick, halves, panel):
    y = np.array(panel.y, dtype=float)
    rows = panel.X.index[panel.X["week"] == panel.X["week"].min()][:2]
    y[panel.X.index.get_indexer(rows)] *= 1.01
    other = DeepCausalMMMRegressor(**quick).fit(panel.X, y)
    with pytest.warns(UserWarning, match="^2 of 168 rows that both models know") as w:
        table = compare_models(old, other)
    said = str(w[0].message)
    assert f"region {panel.X['region'].iloc[0]}, time 20" in said
    assert said.endswith("They count as new data.")
    assert_array_equal(table["data"], table["change"])


def test_experiments_come_with_the_data(quick, panel):
    weeks = np.sort(panel.X["week"].unique())
    test = pd.DataFrame(
        {
            "media": ["media_1"],
            "start": weeks[10],
            "end": weeks[40],
            "estimate": 500.0,
            "std_error": 200.0,
            "change": 0.0,
        }
    )
    points = quick | {"n_draws": 0}
    plain, tested, again = (
        DeepCausalMMMRegressor(**points, experiments=one).fit(panel.X, panel.y)
        for one in (None, test, test.copy())
    )
    table = compare_models(plain, tested)
    assert (table["change"] != 0).any()
    assert_array_equal(table["data"], table["change"])
    assert not compare_models(tested, again)["change"].any()


# Refits stand on the rows that a model keeps


def kept_world(name, panel, quick):
    """X and parameters of models that keep more than numbers of media."""
    X = panel.X.reset_index(drop=True)
    if name == "population":
        heads = np.array([2e5, 9e5, 4e6])[pd.factorize(X["region"])[0]]
        return X.assign(heads=heads), {"population": "heads"}
    if name == "money":
        X = X.assign(paid=X["media_1"] * np.linspace(1.0, 2.0, len(X)), ignored=0.0)
        media = [*panel.media]
        cost = {"media_1": "paid", "media_2": 2.0}
        return X, {"media": media, "media_cost": cost}
    if name == "frequency":
        X = X.assign(seen=1.0 + np.random.default_rng(0).random(len(X)))
        return X, {"frequency": {"media_1": "seen"}}
    # Positions in a frame with a column that is not used.
    X.insert(0, "ignored", "text")
    labels = list(X)
    at = {label: labels.index(label) for label in labels}
    return X, {
        "media": [at[label] for label in panel.media],
        "controls": [at[label] for label in panel.controls],
        "region": at["region"],
        "time": at["week"],
        "priors": {at["media_3"]: {"roi": [0.5, 5.0]}},
        "free_sign": [at["media_2"]],
    }


@pytest.mark.parametrize("name", ["population", "money", "frequency", "positions"])
def test_refit_is_the_fit(name, panel, quick):
    X, asked = kept_world(name, panel, quick)
    weight = np.linspace(0.5, 2.0, len(X))
    model = DeepCausalMMMRegressor(**quick | asked).fit(X, panel.y, weight)
    expected = channel_summary(model)["roi"]
    assert_allclose(refitted(model)[expected.index], expected, rtol=1e-6)


def test_pairs_are_fitted_again_where_both_channels_are_known(panel, quick):
    pair = ("media_1", "media_3")
    before = DeepCausalMMMRegressor(**quick).fit(
        panel.X.drop(columns="media_3"), panel.y
    )
    after = DeepCausalMMMRegressor(**quick, synergies=[pair]).fit(panel.X, panel.y)
    assert_adds_up(compare_models(before, after).dropna(subset="change"))
    fits, rows = [before._fitted_to(), after._fitted_to()], [None, None]
    X = list(fits[1].frame)
    to_fit = {data: _call(after, fits, rows, State(data, 1, 0))[0] for data in (0, 1)}
    assert to_fit[0].synergies is None
    assert to_fit[1].synergies == [tuple(X.index(name) for name in pair)]


def test_arrays_are_fitted_again(panel, quick):
    order = ["ignored", *panel.media, *panel.controls, "region", "week"]
    X = panel.X.assign(ignored="text")[order]
    X["week"] = X["week"].rank(method="dense").astype(int)
    asked = {"media": [1, 2, 3], "controls": [4, 5], "region": 6, "time": 7}
    model = DeepCausalMMMRegressor(**quick | asked).fit(X.to_numpy(), panel.y)
    expected = channel_summary(model)["roi"]
    assert_allclose(refitted(model), expected, rtol=1e-6)


def test_saved_models_are_compared(old, new, tmp_path):
    new.save(tmp_path / "new.skmmm")
    loaded = DeepCausalMMMRegressor.load(tmp_path / "new.skmmm")
    table = compare_models(old, loaded)
    assert_allclose(table["change"], compare_models(old, new)["change"])


# Errors


def test_models_that_cannot_be_compared(new, panel, quick):
    with pytest.raises(NotFittedError, match=r"^old is not fitted\. Call fit"):
        compare_models(DeepCausalMMMRegressor(), new)
    linear = make_linear_mmm(media=panel.media, region="region", time="week")
    with pytest.raises(TypeError, match=r"^new is a Pipeline, but compare_models"):
        compare_models(new, linear.fit(panel.X, panel.y))
    unordered = DeepCausalMMMRegressor(**quick | {"time": None})
    unordered.fit(panel.X.drop(columns="week"), panel.y)
    with refuses_from("old has no time column, so its rows cannot be found"):
        compare_models(unordered, new)


def test_no_channel_in_common(new, panel, quick):
    X = panel.X.rename(columns=dict(zip(panel.media, "abc", strict=True)))
    other = DeepCausalMMMRegressor(**quick).fit(X, panel.y)
    with refuses(
        "No channel is in both models: old has ['media_1', 'media_2', 'media_3'], "
        "new has ['a', 'b', 'c']. Give them the same names."
    ):
        compare_models(new, other)


def test_no_row_in_common(new, panel, quick):
    elsewhere = panel.X.assign(region=panel.X["region"].astype(str) + "!")
    other = DeepCausalMMMRegressor(**quick).fit(elsewhere, panel.y)
    with refuses_from("No row is in both models: old was fitted to 3 regions (the fir"):
        compare_models(new, other)
    days = panel.X.assign(week=panel.X["week"].rank(method="dense").astype(int))
    other = DeepCausalMMMRegressor(**quick).fit(days, panel.y)
    with refuses(
        "The period of old is 'week', that of new 'integer': no row is in both. Fit "
        "both to periods of the same length."
    ):
        compare_models(new, other)


def test_overlap_shorter_than_carry_over(panel, quick):
    early, _, kpi_early, _ = split_at(panel.X, panel.y, 32)
    _, late, _, kpi_late = split_at(panel.X, panel.y, 28)
    old = DeepCausalMMMRegressor(**quick).fit(early, kpi_early)
    new = DeepCausalMMMRegressor(**quick).fit(late, kpi_late)
    with refuses_from("The models have 4 periods in common, into which spend"):
        compare_models(old, new)


def test_another_kpi(old, panel, quick):
    other = DeepCausalMMMRegressor(**quick).fit(panel.X, panel.y * 1000.0)
    with refuses_from("168 of 168 rows that both models know have another KPI, the f"):
        compare_models(old, other)
