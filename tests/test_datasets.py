"""Shipped and simulated panels: shapes, truth that adds up, reproducibility."""

import importlib.util
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal, assert_index_equal, assert_series_equal

from skmmm.datasets import load_mmm_example, make_mmm_panel

RECIPE = Path(__file__).parents[1] / "benchmarks" / "make_example.py"


def make_small(**changed):
    settings = {"n_regions": 3, "n_periods": 60, "random_state": 0, **changed}
    return make_mmm_panel(**settings)


@pytest.fixture(scope="module")
def panel():
    return make_small(level=0.05, effect_drift=0.5, graph=2)


@pytest.fixture(scope="module")
def example():
    return load_mmm_example()


def test_frame_layout(panel):
    assert list(panel.frame) == [
        "region",
        "week",
        *[f"media_{m}" for m in range(1, 5)],
        "price",
        "holiday",
        "sales",
    ]
    assert len(panel.frame) == 180
    assert_frame_equal(
        panel.frame,
        panel.frame.sort_values(["week", "region"], ignore_index=True),
    )
    assert_frame_equal(panel.X.assign(sales=panel.y), panel.frame)
    assert pd.api.types.is_datetime64_dtype(panel.frame["week"])
    assert not panel.frame.duplicated(["region", "week"]).any()
    assert (panel.X[panel.media] >= 0).all(axis=None)
    assert np.isfinite(panel.frame.drop(columns=["region", "week"])).all(axis=None)


@pytest.mark.parametrize("adstock", ["geometric", "delayed", "weibull"])
@pytest.mark.parametrize("saturation", ["hill", "exponential"])
def test_truth_adds_up(adstock, saturation):
    panel = make_small(
        adstock=adstock, saturation=saturation, noise=0.0, effect_drift=0.3, graph=1
    )
    columns = ["baseline", *panel.controls, *panel.media]
    assert list(panel.contributions) == columns
    assert_index_equal(panel.contributions.index, panel.frame.index)
    assert_allclose(panel.contributions.sum(axis=1), panel.expected)
    assert_allclose(panel.y, panel.expected)
    assert_allclose(panel.response(panel.X), panel.expected)
    assert_allclose(panel.parameters["kernel"].sum(axis=1), 1.0)
    assert (panel.contributions[panel.media] >= 0).all(axis=None)
    assert ("slope" in panel.parameters) == (saturation == "hill")


def test_contributions_follow_the_written_equation(panel):
    """Loop over one region and channel, as the docstring states the model."""
    p, region, channel = panel.parameters, "region_2", "media_3"
    rows = panel.frame["region"] == region
    spend = panel.frame.loc[rows, channel].to_numpy()
    x = spend / p["media_scale"].loc[region, channel]
    k, s = p["half_saturation"][channel], p["slope"][channel]
    for t, contribution in enumerate(panel.contributions.loc[rows, channel]):
        carried = sum(
            weight * x[t - lag]
            for lag, weight in p["kernel"].loc[channel].items()
            if lag <= t
        )
        expected = (
            p["scale"][region]
            * p["effect"].loc[region, channel]
            * p["drift"][channel].iloc[t]
            * carried**s
            / (carried**s + k**s)
        )
        assert_allclose(contribution, expected)


def test_geometric_kernel_halves_by_its_decay():
    p = make_small(max_lag=5).parameters
    ratio = p["kernel"].to_numpy()[:, 1:] / p["kernel"].to_numpy()[:, :-1]
    assert_allclose(ratio, np.tile(p["decay"].to_numpy()[:, None], 5))


def test_delayed_kernel_peaks_next_to_its_peak():
    p = make_small(adstock="delayed", n_media=20).parameters
    mode = p["kernel"].to_numpy().argmax(axis=1)
    assert (np.abs(mode - p["peak"]) <= 0.5).all()


def test_half_saturation_gives_half_the_effect():
    for saturation in ("hill", "exponential"):
        panel = make_small(saturation=saturation, max_lag=0)
        p = panel.parameters
        half = p["half_saturation"] * p["media_scale"]
        X = panel.X.copy()
        X[panel.media] = half.loc[X["region"]].to_numpy()
        part = panel.response(X) - panel.response(X.assign(media_2=0.0))
        full = p["scale"] * p["effect"]["media_2"]
        assert_allclose(part, 0.5 * full.loc[X["region"]])


@pytest.mark.parametrize("share", [0.0, 0.2, 0.7])
def test_media_share(share):
    panel = make_small(media_share=share, level=0.05)
    caused = panel.contributions[panel.media].sum().sum()
    assert_allclose(caused / panel.expected.sum(), share)


def test_noise_has_the_asked_standard_deviation():
    panel = make_mmm_panel(4, 500, noise=0.1, random_state=0)
    scale = panel.parameters["scale"].loc[panel.frame["region"]].to_numpy()
    assert_allclose(((panel.y - panel.expected) / scale).std(), 0.1, rtol=0.05)


def test_level_has_the_asked_standard_deviation():
    panel = make_mmm_panel(20, 500, level=0.1, random_state=0)
    assert_allclose(panel.parameters["level"].to_numpy().std(), 0.1, rtol=0.2)


def test_region_spread_and_effect_drift():
    panel = make_mmm_panel(
        100, 10, n_media=300, region_spread=0.4, effect_drift=0.6, random_state=0
    )
    log_effect = np.log(panel.parameters["effect"])
    assert_allclose(log_effect.std(axis=0).mean(), 0.4, rtol=0.05)
    log_drift = np.log(panel.parameters["drift"])
    assert_allclose((log_drift.iloc[-1] - log_drift.iloc[0]).std(), 0.6, rtol=0.1)
    assert (make_small().parameters["drift"] == 1.0).all(axis=None)


def test_response_ignores_row_order_and_survives_pickling(panel):
    shuffled = panel.X.sample(frac=1.0, random_state=0)
    shuffled["media_1"] *= 2.0
    response = pickle.loads(pickle.dumps(panel.response))
    doubled = panel.response(panel.X.assign(media_1=2.0 * panel.X["media_1"]))
    assert_array_equal(response(shuffled), doubled[shuffled.index])


def test_response_is_the_counterfactual_of_each_channel(panel):
    for channel in panel.media:
        without = panel.response(panel.X.assign(**{channel: 0.0}))
        assert_allclose(
            panel.expected - without, panel.contributions[channel], atol=1e-6
        )


def test_response_carries_spend_forward_only():
    panel = make_small(n_regions=2, max_lag=3)
    week = panel.X["week"].unique()[20]
    X = panel.X.copy()
    pulse = (X["week"] == week) & (X["region"] == "region_1")
    X.loc[pulse, "media_3"] += 10_000.0
    gain = pd.Series(panel.response(X) - panel.expected)
    gained = panel.X.loc[gain > 1e-6]
    assert set(gained["region"]) == {"region_1"}
    assert list(gained["week"]) == list(panel.X["week"].unique()[20:24])
    assert gain.min() > -1e-6


def test_response_follows_controls(panel):
    dearer = panel.X.assign(price=panel.X["price"] + 1.0)
    scale = panel.parameters["scale"].loc[panel.X["region"]].to_numpy()
    change = panel.parameters["control_effect"]["price"] * scale
    assert_allclose(panel.response(dearer) - panel.expected, change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.drop(columns="media_2"), r"lacks the columns \['media_2'\]"),
        (lambda X: X.iloc[1:], "179 rows holding 179 different region-weeks"),
        (lambda X: X.iloc[[0, *range(179)]], "180 rows holding 179 different"),
        (lambda X: X.replace("region_1", "Atlantis"), "Region 'Atlantis', week 2021"),
        (lambda X: X.assign(media_2=-1.0), "Negative spend in column 'media_2'"),
        (lambda X: X.assign(price=np.nan), "missing or infinite"),
    ],
)
def test_response_errors(panel, change, message):
    with pytest.raises(ValueError, match=message):
        panel.response(change(panel.X))


def test_roi(panel):
    caused = panel.contributions[panel.media].sum()
    assert_allclose(panel.roi * panel.X[panel.media].sum(), caused)
    assert (panel.roi > 0).all()


def test_same_seed_same_panel():
    first, second = make_small(), make_small()
    assert_frame_equal(first.frame, second.frame)
    assert_frame_equal(first.contributions, second.contributions)
    other = make_small(random_state=1)
    assert not np.allclose(first.y, other.y)


def test_global_random_state_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    make_small()
    assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize(
    "setting",
    [
        {"noise": 0.2},
        {"level": 0.1},
        {"media_share": 0.5},
        {"region_spread": 0.5},
        {"effect_drift": 0.5},
        {"saturation": "exponential"},
        {"adstock": "weibull"},
    ],
)
def test_settings_leave_the_other_draws_as_they_were(setting):
    assert_frame_equal(make_small().X, make_small(**setting).X)


def test_graph_changes_children_only():
    graph = np.zeros((4, 4))
    graph[0, 1], graph[1, 2] = 0.5, 0.4
    without, panel = make_small(), make_small(graph=graph)
    assert_array_equal(panel.graph, graph)
    assert_array_equal(without.graph, np.zeros((4, 4)))
    assert_frame_equal(
        without.X[["media_1", "media_4"]], panel.X[["media_1", "media_4"]]
    )
    assert not np.allclose(without.X["media_2"], panel.X["media_2"])
    assert not np.allclose(without.X["media_3"], panel.X["media_3"])


def test_graph_follows_the_written_equation():
    graph = np.zeros((4, 4))
    graph[3, 0] = 0.5
    without, panel = make_small(n_regions=1), make_small(n_regions=1, graph=graph)
    scale = panel.parameters["media_scale"]["media_4"].iloc[0]
    log_spend = np.log1p(panel.X["media_4"] / scale)
    d = (log_spend - log_spend.mean()) / log_spend.std(ddof=0)
    factor = np.exp(0.5 * (d + d.shift(fill_value=0.0)) / 2.0)
    assert_allclose(panel.X["media_1"], factor * without.X["media_1"])


@pytest.mark.parametrize("n_edges", [0, 1, 6])
def test_drawn_graph_has_the_asked_edges_and_no_cycle(n_edges):
    for seed in range(10):
        graph = make_small(n_periods=5, graph=n_edges, random_state=seed).graph
        assert np.count_nonzero(graph) == n_edges
        reach = np.linalg.matrix_power(graph, 4)
        assert not reach.any()


def test_holidays_return_every_year():
    panel = make_mmm_panel(
        5, 365 * 3, frequency="D", start="2021-01-01", random_state=0
    )
    assert set(panel.X["holiday"]) == {0.0, 1.0}
    days = panel.X.groupby("week")["holiday"].max()
    per_year = days.groupby(days.index.year).sum()
    assert per_year.between(4, 6).all()


@pytest.mark.parametrize(("frequency", "days"), [("D", 1), ("W-SUN", 7), ("MS", 31)])
def test_frequency(frequency, days):
    panel = make_small(n_regions=1, frequency=frequency, start="2021-05-01")
    steps = panel.X["week"].diff().dt.days.dropna()
    assert steps.max() == days
    assert len(panel.X) == 60


def test_names_are_used_and_regions_sorted():
    panel = make_small(
        n_media=1,
        n_controls=1,
        media_names=["tv"],
        control_names=["unit_price"],
        region_names=["Ulm", "Bonn", "Kiel"],
    )
    assert list(panel.X) == ["region", "week", "tv", "unit_price"]
    assert list(panel.X["region"][:3]) == ["Bonn", "Kiel", "Ulm"]
    assert list(panel.parameters["effect"].index) == ["Bonn", "Kiel", "Ulm"]


def test_smallest_panel():
    panel = make_mmm_panel(1, 2, n_media=1, n_controls=0, max_lag=0, random_state=0)
    assert list(panel.frame) == ["region", "week", "media_1", "sales"]
    assert panel.controls == []
    assert_allclose(panel.response(panel.X), panel.expected)


def test_no_channel_is_silent():
    for seed in range(20):
        panel = make_small(n_periods=4, random_state=seed)
        spent = panel.X.groupby("region")[panel.media].sum()
        assert (spent > 0).all(axis=None)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"media_names": ["tv"]}, "media_names has 1 entries, expected 4"),
        ({"region_names": list("aab")}, r"The names \['a'\] are used more than once"),
        ({"control_names": ["sales", "b"]}, r"\['sales'\] are used more than once"),
        ({"graph": 7}, "graph=7 edges requested, but 4 media allow at most 6"),
        ({"graph": np.ones((4, 4))}, "graph has a cycle"),
        ({"graph": np.zeros((3, 3))}, r"shape \(4, 4\), got shape \(3, 3\)"),
        ({"media_share": 1.0}, "'media_share' parameter"),
        ({"adstock": "none"}, "'adstock' parameter"),
        ({"n_periods": 1}, "'n_periods' parameter"),
    ],
)
def test_errors(setting, message):
    with pytest.raises(ValueError, match=message):
        make_small(**setting)


def test_negative_total_baseline_is_refused():
    with pytest.raises(ValueError, match="Choose a smaller level"):
        make_small(n_periods=5, level=50.0, random_state=1)


def test_example_layout(example):
    assert example.frame.shape == (1872, 11)
    assert example.frame["region"].nunique() == 12
    assert example.frame["week"].nunique() == 156
    assert_frame_equal(
        example.frame,
        example.frame.sort_values(["week", "region"], ignore_index=True),
    )
    assert list(example.X) == ["region", "week", *example.media, *example.controls]
    assert "simulated" in example.DESCR
    X, y = load_mmm_example(return_X_y=True)
    assert_frame_equal(X, example.X)
    assert_series_equal(y, example.y)


def test_example_truth(example):
    assert_index_equal(example.contributions.index, example.frame.index)
    caused = example.contributions[example.media].sum()
    assert_allclose(caused.sum() / example.expected.sum(), 0.3, atol=1e-4)
    assert_allclose(example.roi, caused / example.X[example.media].sum())
    assert example.roi.between(0.5, 5.0).all()
    error = (example.y - example.expected) / example.contributions["baseline"]
    assert 0.03 < error.std() < 0.05


def test_example_spends_and_sells_in_proportion_to_size(example):
    cities = example.frame.groupby("region")[[*example.media, "sales"]].sum()
    spend = cities[example.media].sum(axis=1)
    assert cities["sales"].max() > 10 * cities["sales"].min()
    assert np.corrcoef(np.log(spend), np.log(cities["sales"]))[0, 1] > 0.9
    assert (spend / cities["sales"]).between(0.08, 0.3).all()


def test_example_has_weeks_without_each_channel_in_each_city(example):
    off = (example.X[example.media] == 0).groupby(example.X["region"]).mean()
    assert off.gt(0.1).all(axis=None)
    # Cities do not switch together: no channel is off everywhere at once for long.
    together = (example.X[example.media] == 0).groupby(example.X["week"]).mean()
    assert together.std().lt(0.35).all()


def test_example_is_what_its_recipe_makes(example):
    """Up to one unit of the last decimal, as libraries may round differently."""
    if not RECIPE.exists():
        pytest.skip("benchmarks are not part of the source distribution")
    spec = importlib.util.spec_from_file_location("make_example", RECIPE)
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    frame, truth = recipe.make_example()
    money = [*example.media, "sales"]
    assert_frame_equal(
        frame.drop(columns="price"),
        example.frame.drop(columns="price"),
        check_dtype=False,
        rtol=0,
        atol=1.01,
    )
    assert_allclose(frame["price"], example.frame["price"], rtol=0, atol=0.0101)
    assert_allclose(
        truth[list(example.contributions)], example.contributions, rtol=0, atol=0.101
    )
    same = frame[money].to_numpy() == example.frame[money].to_numpy()
    assert same.mean() > 0.999


def test_example_is_small():
    data = Path(importlib.util.find_spec("skmmm.datasets").origin).parent / "data"
    sizes = {path.name: path.stat().st_size for path in data.glob("*.csv.gz")}
    assert set(sizes) == {"mmm_example.csv.gz", "mmm_example_truth.csv.gz"}
    assert sum(sizes.values()) < 200_000
