"""Lift tests in the likelihood."""

import pickle
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skmmm import DeepCausalMMMRegressor
from skmmm._estimator.experiments import Told, alarms_after, experiment_table
from skmmm._estimator.fitting import _read_experiments
from skmmm._model.contrasts import ReportedExperiments, reported_experiments
from skmmm.datasets import make_mmm_panel
from skmmm.inspection._placement import DISPUTED
from skmmm.inspection._verdicts import doubt_removed

pytestmark = pytest.mark.usefixtures("short_chains")

TESTED, OTHER = "media_1", "media_2"


@pytest.fixture(scope="module")
def world():
    return make_mmm_panel(3, 60, n_media=2, random_state=0)


@pytest.fixture(scope="module")
def weeks(world):
    return np.unique(world.X["week"])


def make_model(world, **options):
    roles = {"media": world.media, "controls": world.controls}
    given = {"region": "region", "time": "week", "max_iter": 15, "n_draws": 16}
    given |= {"max_lag": 4, "graph": None, "random_state": 0, "media_cost": 1.0}
    return DeepCausalMMMRegressor(**roles | given | options)


@pytest.fixture(scope="module")
def usual(world):
    return make_model(world).fit(world.X, world.y)


def one_test(weeks, **columns):
    row = {"media": TESTED, "start": weeks[10], "end": weeks[39], "change": 0.0}
    row |= {"estimate": -100.0, "std_error": 10.0}
    return pd.DataFrame([row | columns])


def asked(model, table):
    """Return the experiments of a table as the fitted model reads them."""
    twin = clone(model).set_params(experiments=table)
    parameters = model.get_params()
    fitted = {k: v for k, v in vars(model).items() if k not in parameters}
    vars(twin).update(fitted)
    rows = _read_experiments(twin, model._model.history.shape[1])
    return reported_experiments(rows, model._model, model._media_cost)


def measured_by(model, table):
    """Return what the fitted point says that each experiment measures."""
    reported = asked(model, table)
    values = reported.measurements.values(model._model.network).detach().numpy()
    return reported.in_measure(values)[0]


@pytest.fixture(scope="module")
def table(usual, weeks):
    """Return a test that measures somewhat more than the rows say."""
    said = measured_by(usual, one_test(weeks))[0]
    return one_test(weeks, estimate=1.1 * said, std_error=abs(said) / 20)


@pytest.fixture(scope="module")
def model(world, table):
    return make_model(world, experiments=table).fit(world.X, world.y)


def test_to_be_dark_throughout_is_the_contribution(usual, weeks):
    dark = one_test(weeks, start=weeks[0], end=weeks[-1])
    contribution = usual.channel_summary().loc[TESTED, "contribution"]
    assert_allclose(measured_by(usual, dark), -contribution, rtol=1e-10)


def test_regions_add_up(usual, world, weeks):
    of_each = [
        measured_by(usual, one_test(weeks, regions=[name]))[0]
        for name in np.unique(world.X["region"])
    ]
    assert_allclose(sum(of_each), measured_by(usual, one_test(weeks))[0], rtol=1e-10)


def test_cooldown_counts_what_is_carried_over(usual, world, weeks):
    spends = world.X.groupby("week")[TESTED].sum()
    last = weeks[np.flatnonzero(spends.to_numpy()[:50])[-1]]
    short, long = (
        measured_by(usual, one_test(weeks, end=last, cooldown=periods))[0]
        for periods in (0, 4)
    )
    assert long < short < 0


def test_measures_agree(usual, world, weeks):
    outcome = measured_by(usual, one_test(weeks))[0]
    inside = world.X["week"].between(weeks[10], weeks[39])
    money = -world.X.loc[inside, TESTED].sum()
    roi = measured_by(usual, one_test(weeks, measure="roi"))
    cost = measured_by(usual, one_test(weeks, measure="cost_per_outcome"))
    in_money = measured_by(usual, one_test(weeks, change=None, spend_change=money))
    assert_allclose(roi, outcome / money, rtol=1e-10)
    assert_allclose(cost, money / outcome, rtol=1e-10)
    assert_allclose(in_money, outcome, rtol=1e-10)


def test_next_unit_brings_less_than_all(usual, weeks):
    every = {"start": weeks[0], "end": weeks[-1]}
    found = measured_by(usual, one_test(weeks, **every, change=None, measure="mroi"))
    mroi = usual.channel_summary().loc[TESTED, "mroi"]
    assert_allclose(found, mroi, rtol=0.02)


def test_x_may_show_the_spend_with_the_change(usual, weeks):
    control = measured_by(usual, one_test(weeks, change=2.0))
    treated = measured_by(usual, one_test(weeks, change=0.5, observed="treated"))
    assert_allclose(treated, -control, rtol=1e-10)


def test_outside_of_the_rows_spend_is_steady(usual, world, weeks):
    later = pd.Timestamp(weeks[-1]) + pd.Timedelta(weeks=30)
    window = {"start": later, "end": later + pd.Timedelta(weeks=7)}
    typical = usual._model.scales.media[:, 0].sum()
    found = measured_by(usual, one_test(weeks, **window, spend=8 * typical))[0]
    network = usual._model.network
    effect = network.typical_effects(network.values())[0, 0].item()
    expected = -effect * usual._model.scales.kpi.sum()
    assert 0.8 < found / (8 * expected) < 1.25  # the first weeks still carry over


def test_the_model_moves_towards_the_test(usual, model, table):
    said = measured_by(usual, table)[0]
    estimate, now = table["estimate"].iloc[0], measured_by(model, table)[0]
    assert abs(now - estimate) < abs(said - estimate)
    row = model.experiments_.iloc[0]
    assert row["after_sd"] < row["before_sd"]
    assert row["std_error"] > row["after_sd"]
    assert_allclose(now, row["after"], rtol=0.1)
    assert 0.0 < row["doubt_removed"] < 1.0
    assert TESTED in row["finding"]


def test_the_effect_at_the_point_is_in_the_middle_of_draws(model):
    told = model.channel_summary(confidence_level=0.3).loc[TESTED]
    low, high = told["contribution_low"], told["contribution_high"]
    assert 0.0 < low <= told["contribution"] <= high


def test_without_draws_the_point_moves(world, table):
    options = {"n_draws": 0}
    before = make_model(world, **options).fit(world.X, world.y)
    after = make_model(world, **options, experiments=table).fit(world.X, world.y)
    estimate = table["estimate"].iloc[0]
    said, now = measured_by(before, table)[0], measured_by(after, table)[0]
    assert abs(now - estimate) < abs(said - estimate)
    assert_allclose(after.experiments_["before"], said, rtol=1e-10)
    assert_allclose(after.experiments_["after"], now, rtol=1e-10)
    assert after.experiments_[["doubt_removed", "z"]].isna().all(axis=None)
    assert not after.experiments_["conflict"].any()


def test_a_wild_test_is_a_conflict_and_a_doubtful_one_is_none(world, usual, weeks):
    said = measured_by(usual, one_test(weeks))[0]
    wild = one_test(weeks, estimate=5 * said, std_error=abs(said) / 5)
    with pytest.warns(UserWarning, match="found a larger effect than the rows say"):
        refuted = make_model(world, experiments=wild).fit(world.X, world.y)
    summary = refuted.channel_summary()
    assert summary["alarm"][TESTED] == "says another effect than an experiment"
    assert summary["verdict"][TESTED] == "not identified"
    assert (summary["alarm"].drop(TESTED) == "").all()
    found = refuted.experiments_
    assert found["conflict"].all()
    assert found["z"].iloc[0] < -2.0
    opposite = one_test(weeks, estimate=-5 * said, std_error=abs(said) / 5)
    with pytest.warns(UserWarning, match="found an effect of the other sign"):
        nothing = make_model(world, experiments=opposite).fit(world.X, world.y)
    assert nothing.experiments_["conflict"].all()
    assert measured_by(nothing, opposite)[0] <= 0.0  # never below no effect
    doubtful = wild.assign(bias_sd=4 * abs(said))
    told = make_model(world, experiments=doubtful).fit(world.X, world.y).experiments_
    assert not told["conflict"].any()
    expected = np.hypot(wild["std_error"], doubtful["bias_sd"])
    assert_allclose(told["std_error"], expected)


@pytest.mark.parametrize(
    ("before", "told", "after"),
    [
        # Of each test of the channel: what it removes of its doubt, its conflict with
        # the rows, and what the model says after it measured 10, give or take 1.
        ("", [(0.9, False, 10.0)], ""),
        ("", [(0.9, True, 10.0)], DISPUTED),
        ("", [(0.9, False, 10.0), (0.3, True, 10.0)], DISPUTED),
        ("rings", [(0.9, False, 10.0)], ""),
        ("rings", [(0.3, False, 10.0)], "rings"),
        ("rings", [(0.9, True, 10.0)], "rings"),
        # The rows had nothing to say: one test answers for them, and another may
        # contradict them, but not the first.
        ("rings", [(0.9, False, 10.0), (0.3, True, 11.9)], ""),
        ("rings", [(0.9, False, 10.0), (0.3, True, 12.1)], DISPUTED),
    ],
)
def test_alarms_after(before, told, after):
    rows = [of_channels(1)] * len(told)
    table = told_of(told)
    alarms = np.array(["other", before], dtype=object)
    found = alarms_after(alarms, SimpleNamespace(rows=rows), table)
    assert list(found) == ["other", after]
    assert list(alarms) == ["other", before]


def of_channels(*channels):
    """Return a test of some channels, give or take 1 with the doubt of its bias."""
    return SimpleNamespace(channels=list(channels), std_error=0.8, bias_sd=0.6)


def told_of(tests):
    """Return the columns of `experiments_` that decide on alarms."""
    table = pd.DataFrame(tests, columns=["doubt_removed", "conflict", "after"])
    return table.assign(estimate=10.0)


@pytest.mark.parametrize(
    ("said", "after"), [(10.0, ["rings", ""]), (13.0, ["rings", DISPUTED])]
)
def test_a_joint_conflict_is_that_of_the_channel_that_rang(said, after):
    rows = [of_channels(0, 1)]
    alarms = np.array(["rings", ""], dtype=object)
    table = told_of([(0.9, True, said)])
    found = alarms_after(alarms, SimpleNamespace(rows=rows), table)
    assert list(found) == after


def test_tests_with_a_control_group_in_common_have_correlated_errors(usual, weeks):
    rows = [
        one_test(weeks, cooldown=c, std_error=e, bias_sd=3.0)
        for c, e in ((0, 4.0), (1, 5.0))
    ]
    together = pd.concat(rows, ignore_index=True).assign(
        shared_error="a", correlation=0.5
    )
    whitener = asked(usual, together).measurements.whitener
    covariance = np.linalg.inv((whitener.T @ whitener).numpy())
    assert_allclose(covariance, [[25.0, 10.0], [10.0, 34.0]], rtol=1e-10)


def test_a_file_says_the_same(usual, table, tmp_path):
    path = tmp_path / "tests.csv"
    table.assign(regions="region_1; region_2;region_3").to_csv(path, index=False)
    assert_array_equal(measured_by(usual, path), measured_by(usual, table))


def test_it_is_cloned_pickled_and_saved(world, model, table, tmp_path):
    pd.testing.assert_frame_equal(clone(model).experiments, table)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(world.X), model.predict(world.X))
    model.save(tmp_path / "model.skmmm")
    loaded = DeepCausalMMMRegressor.load(tmp_path / "model.skmmm")
    pd.testing.assert_frame_equal(loaded.experiments_, model.experiments_)
    assert_array_equal(loaded.predict(world.X), model.predict(world.X))
    fitted = clone(loaded).fit(world.X, world.y)
    assert_array_equal(fitted.predict(world.X), model.predict(world.X))


def test_empty_cells_are_defaults(usual, weeks):
    long = one_test(weeks, cooldown=2, bias_sd=1.0, measure="roi", observed="control")
    both = pd.concat([one_test(weeks), long], ignore_index=True)
    for table in (both, both.convert_dtypes()):
        assert_allclose(
            measured_by(usual, table)[0],
            measured_by(usual, one_test(weeks))[0],
            rtol=1e-12,
        )


def test_regions_that_are_numbers(world, weeks):
    X = world.X.assign(region=world.X["region"].str[-1].astype(float))
    fitted = make_model(world, n_draws=0).fit(X, world.y)
    whole = measured_by(fitted, one_test(weeks, regions=[1, 2, 3]))
    for regions in ([1.0, "2", 3], None):
        assert_array_equal(whole, measured_by(fitted, one_test(weeks, regions=regions)))


def test_na_is_a_region(world, weeks, tmp_path):
    X = world.X.assign(region=world.X["region"].replace("region_1", "NA"))
    fitted = make_model(world, n_draws=0).fit(X, world.y)
    one_test(weeks, regions="NA").to_csv(tmp_path / "tests.csv", index=False)
    (row,) = asked(fitted, tmp_path / "tests.csv").rows
    assert_array_equal(row.regions, [0])


def test_folds_before_the_test_need_its_spend(world, weeks):
    early = world.X["week"] < weeks[30]
    late = {"start": weeks[30], "end": weeks[39]}
    options = {"n_draws": 0, "experiments": one_test(weeks, **late, spend=1e5)}
    for rows in (early, early | True):
        model = make_model(world, **options).fit(world.X[rows], world.y[rows])
        assert len(model.experiments_) == 1


def test_money_that_x_lacks_is_spent_as_usual(world, weeks):
    dark = world.X["week"].between(weeks[10], weeks[39])
    row = one_test(weeks, change=None, spend_change=-1e6, observed="treated")
    found = []
    for left in (0.0, 1.0):
        spend = world.X[TESTED].where(~dark, 0.0)
        spend[np.flatnonzero(dark)[0]] = left  # an invoice that came late
        X = world.X.assign(**{TESTED: spend})
        fitted = make_model(world, n_draws=0).fit(X, world.y)
        found.append(measured_by(fitted, row)[0])
    assert_allclose(found[0], found[1], rtol=0.2)


MISTAKES = {  # estimate, weeks, regions, words
    "per week": (-1000 / 8, 8, 1, "per week: an estimate is a total .*, 8 times an av"),
    "per region": (-1100 / 30, 1, 30, "close to what they say per region: "),
    "both": (-900 / 64, 8, 8, "per region and week: .*, 64 times an average"),
    "per day": (-1000 / 56, 8, 1, "per day: an estimate is a total .*, 56 times an av"),
    "sign": (
        1200.0,
        8,
        8,
        "the opposite of what they say: an estimate is the KPI with",
    ),
    "half": (-500.0, 2, 2, "Check the sign and units of the estimate"),
    "none": (-1e5, 8, 8, "Check the sign and units of the estimate"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_usual_mistakes_are_named(case, usual, weeks):
    estimate, n_weeks, n_regions, words = MISTAKES[case]
    (one,) = asked(usual, one_test(weeks, estimate=estimate, std_error=1.0)).rows
    one = replace(one, stop=one.start + n_weeks, regions=np.arange(n_regions))
    before = -1000.0 + np.linspace(-20.0, 20.0, 9)[:, None]
    told = Told(before=before, after=before, doubt_removed=np.zeros(1))
    reported = ReportedExperiments([one], [0.0], None)
    table = experiment_table(reported, told, usual._columns.media, usual._calendar)
    assert table["conflict"].item()
    assert re.search(words, table["finding"].item())


def test_none_is_as_before(usual):
    assert usual.experiments_ is None


BAD = {
    "unknown channel": ({"media": "radio"}, r"experiment 0 names 'radio' as its media"),
    "unknown region": ({"regions": ["north"]}, r"experiment 0 names the region 'nor"),
    "region twice": (
        {"regions": ["region_1"] * 2},
        r"experiment 0 names a region tw",
    ),
    "no error": ({"std_error": 0.0}, r"experiment 0 has a std_error of 0\. It has to"),
    "negative error": ({"std_error": -1.0}, r"experiment 0 has a std_error of -1\."),
    "no estimate": ({"estimate": np.nan}, r"experiment 0 has no estimate\. Fill it in"),
    "text": ({"estimate": "much"}, r"experiment 0 has 'much' as its estimate\. Write"),
    "change of 1": ({"change": 1.0}, r"experiment 0 changes nothing \(change of 1\)"),
    "no change": (
        {"change": np.nan},
        r"neither change nor spend_change\. Say once how",
    ),
    "both": ({"spend_change": 5.0}, r"has both change and spend_change\. Say once how"),
    "text dates": ({"start": "next week"}, r"experiment 0: .*'start'.*next week"),
    "off the grid": ({"start": pd.Timestamp("2019-01-01")}, r"experiment 0: .*grid"),
    "ends first": ({"end": pd.Timestamp("2010-01-04")}, r"experiment 0 ends .* before"),
    "unknown measure": (
        {"measure": "lift"},
        r"Use one of outcome, roi, mroi, cost_per",
    ),
    "went dark": (
        {"observed": "treated"},
        r"experiment 0 went dark, and X shows no sp",
    ),
    "takes too much": (
        {"change": None, "spend_change": -1e15},
        r"experiment 0 takes 1e\+15 away, more than the .* that X shows",
    ),
    "cooldown": ({"cooldown": 1.5}, r"has a cooldown of 1\.5\. Write a number of peri"),
    "size of mroi": ({"measure": "mroi"}, r"Leave change and spend_change empty"),
    "too exact": ({"std_error": 1e-9}, r"less than a millionth of its estimate"),
    "channel misspelt": ({"media": "Media1"}, r"Did you mean 'media_1'\?"),
    "region misspelt": ({"regions": ["regoin_1"]}, r"Did you mean 'region_1'\?"),
    "column misspelt": ({"cool_down": 1}, r"rename it\. Did you mean 'cooldown'\?"),
    "unknown column": ({"lift": 1.0}, r"experiments has a column 'lift' that is none"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_rows_are_named(case, world, weeks):
    columns, message = BAD[case]
    asked = make_model(world, experiments=one_test(weeks, **columns))
    with pytest.raises(ValueError, match=message):
        asked.fit(world.X, world.y)


def test_bad_tables_are_refused(world, weeks):
    outside = one_test(weeks, end=pd.Timestamp(weeks[-1]) + pd.Timedelta(weeks=2))
    twice = pd.concat([one_test(weeks)] * 2, ignore_index=True)
    cases = {
        r"which is not inside the training rows .* Say what was spent": outside,
        r"experiment 1 repeats experiment 0: it would count twice": twice,
        r"experiments has no column 'estimate'": one_test(weeks)[
            ["media", "start", "end"]
        ],
        r"experiments has no rows": one_test(weeks).iloc[:0],
    }
    for message, table in cases.items():
        with pytest.raises(ValueError, match=message):
            make_model(world, experiments=table).fit(world.X, world.y)


def test_files_that_cannot_be_read_say_what_to_do(world, weeks, tmp_path):
    path = tmp_path / "tests.csv"
    with pytest.raises(FileNotFoundError, match=r"There is no file .*tests\.csv', wh"):
        make_model(world, experiments=path).fit(world.X, world.y)
    one_test(weeks).to_csv(path, sep=";", index=False)
    with pytest.raises(ValueError, match=r"single column, 'media;start;.*sep=';'\)"):
        make_model(world, experiments=str(path)).fit(world.X, world.y)


def test_rows_are_read_before_anything_is_computed(world, weeks, monkeypatch):
    monkeypatch.setattr("skmmm._estimator.fitting._start", None)
    with pytest.raises(ValueError, match="experiment 0 has no estimate"):
        make_model(world, experiments=one_test(weeks, estimate=None)).fit(
            world.X, world.y
        )


def test_a_channel_that_x_shows_dark_needs_the_money(world, weeks):
    dark = world.X.assign(**{TESTED: 0.0})
    model = make_model(world, n_draws=0, experiments=one_test(weeks))
    message = r'shows no spend.*write observed="treated" and, instead of change, in sp'
    with (
        pytest.warns(UserWarning, match="no spend in any training row"),
        pytest.raises(ValueError, match=message),
    ):
        model.fit(dark, world.y)


@pytest.mark.parametrize("kind", [tuple, set, pd.Series])
def test_any_list_of_labels(usual, weeks, kind):
    names, row = ["region_1", "region_3"], one_test(weeks)
    row["regions"], row["media"] = [kind(names)], [kind([TESTED, OTHER])]
    expected = one_test(weeks, regions=names, media=[TESTED, OTHER])
    assert_array_equal(measured_by(usual, row), measured_by(usual, expected))


def test_polars_tables(usual, model, weeks, table, tmp_path):
    polars = pl.from_pandas(table)
    assert_array_equal(measured_by(usual, polars), measured_by(usual, table))
    several = pl.DataFrame(
        {
            "media": [[TESTED, OTHER], [TESTED]],
            "start": weeks[[10, 20]],
            "end": weeks[[39, 29]],
            "regions": [None, ["region_1", "region_3"]],
            "change": [0.0, None],
            "spend_change": [None, 100.0],
            "estimate": [-100.0, 20.0],
            "std_error": [10.0, 10.0],
            "cooldown": [None, 2],
        }
    )
    rows = asked(usual, several).rows
    assert [one.channels for one in rows] == [[0, 1], [0]]
    assert [one.regions.tolist() for one in rows] == [[0, 1, 2], [0, 2]]
    assert [one.cooldown for one in rows] == [0, 2]
    assert np.isnan(rows[1].change)
    twin = clone(model).set_params(experiments=polars)
    twin.__dict__.update(
        {k: v for k, v in vars(model).items() if k not in model.get_params()}
    )
    twin._fitted_parameters = twin.get_params(deep=False)
    twin.save(tmp_path / "model.skmmm")
    again = DeepCausalMMMRegressor.load(tmp_path / "model.skmmm").experiments
    pd.testing.assert_frame_equal(again, table, check_dtype=False)


def test_without_time_there_is_no_window(world, weeks):
    model = make_model(world, time=None, experiments=one_test(weeks))
    with pytest.raises(ValueError, match=r"there is no time column"):
        model.fit(world.X.drop(columns="week"), world.y)


def test_money_needs_a_cost(world, weeks):
    table = one_test(weeks, measure="roi")
    model = make_model(world, media_cost=None, experiments=table)
    with pytest.raises(
        ValueError, match=r"experiment 0 speaks of money.*Say it in media_cost"
    ):
        model.fit(world.X, world.y)


def test_the_doubt_is_the_same_in_every_measure(world, weeks):
    money = world.X.loc[world.X["week"].isin(weeks[10:40]), TESTED].sum()
    as_outcome = one_test(weeks, estimate=-180_000.0, std_error=45_000.0)
    cost = {"measure": "cost_per_outcome", "estimate": money / 180_000.0}
    as_cost = one_test(weeks, **cost, std_error=cost["estimate"] / 4)
    found = [
        make_model(world, experiments=one).fit(world.X, world.y).experiments_
        for one in (as_outcome, as_cost)
    ]
    assert found[0]["doubt_removed"].item() > 0.01
    assert_allclose(found[0]["doubt_removed"], found[1]["doubt_removed"], rtol=1e-6)


def test_the_doubt_that_a_test_removes():
    rng = np.random.default_rng(0)
    caused = rng.normal(size=(100_000, 2))
    before = caused + rng.normal(size=caused.shape) * [0.0, 1.0]
    removed = doubt_removed(before, caused, np.array([1.0, 0.0]))
    assert_allclose(removed, 0.5, atol=0.01)
    assert_array_equal(doubt_removed(before * 0.0, caused, np.ones(2)), 0.0)
    assert np.isnan(doubt_removed(before[:1], caused[:1], np.ones(2))).all()
