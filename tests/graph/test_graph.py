"""The channel graph as an estimator of its own, without a KPI."""

import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from sklearn.base import clone
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_param_validation,
    parametrize_with_checks,
)

from skmmm import DeepCausalMMMRegressor
from skmmm._data.calendar import infer_calendar
from skmmm.datasets import make_mmm_panel
from skmmm.graph import NOTEARS, StructuralVAR
from skmmm.plotting import ChannelGraphDisplay

pytestmark = [
    pytest.mark.usefixtures("short_chains"),
    pytest.mark.filterwarnings("ignore:The spend of"),
]

ROLES = {"region": "region", "time": "week", "controls": ["price", "holiday"]}
QUICK = {"n_bootstraps": 3, "random_state": 0}


@pytest.fixture(scope="module")
def world():
    """Twelve regions; media_1 drives media_3."""
    drives = np.zeros((3, 3))
    drives[0, 2] = 0.5
    return make_mmm_panel(12, 40, n_media=3, graph=drives, random_state=0)


def same_graph(found, expected):
    for name in ("weights", "same_period", "lags", "probability", "verdict"):
        assert_frame_equal(
            getattr(found, name), getattr(expected, name), check_exact=True
        )
    assert found.cautions == expected.cautions
    assert found.link.tolist() == expected.link.tolist()


# --- the graph ----------------------------------------------------------------------


@pytest.mark.parametrize("cls", [StructuralVAR, NOTEARS])
def test_it_finds_the_edge(world, cls):
    graph = cls(**ROLES, **QUICK).fit(world.X)
    assert graph.media_ == world.media
    strongest = graph.channel_graph().edges.iloc[0]
    assert (strongest["parent"], strongest["child"]) == ("media_1", "media_3")
    if cls is StructuralVAR:
        assert_array_equal(graph.causal_graph_ != 0, world.graph != 0)
    assert_array_equal(graph.channel_graph().weights, graph.causal_graph_)
    assert len(graph.channel_graph().pairs) == 6


def test_of_twins_it_does_not_say_which_drives(world):
    X = world.X.assign(copy=2.0 * world.X["media_1"])
    found = StructuralVAR(**ROLES, **QUICK).fit(X).channel_graph().verdict
    twins = ["media_1", "copy"]
    assert (found.loc[twins].drop(columns=twins) == "undecided").all(axis=None)
    assert (found[twins].drop(index=twins) == "undecided").all(axis=None)
    alone = StructuralVAR(**ROLES, **QUICK).fit(world.X).channel_graph().verdict
    assert alone.loc["media_1", "media_3"] == "edge"


@pytest.mark.parametrize("cls", [StructuralVAR, NOTEARS])
@pytest.mark.parametrize("n_regions", [1, 12])
def test_alone_it_says_what_the_regressor_says(world, series, cls, n_regions):
    data = world if n_regions > 1 else series
    settings = {"n_bootstraps": 3, "max_lag": 1}
    if cls is NOTEARS:
        settings |= {"lambda1": 0.04, "threshold": 0.02}
    model = DeepCausalMMMRegressor(
        **ROLES, graph=cls(**settings), n_draws=0, max_iter=2, random_state=4
    ).fit(data.X, data.y)
    alone = cls(**ROLES, **settings, random_state=4).fit(data.X)
    same_graph(alone.channel_graph(), model.channel_graph())
    assert_array_equal(alone.causal_graph_, model.causal_graph_)
    assert alone.media_ == model.media_


def test_own_columns_season_and_seed_that_agree_change_nothing(series):
    common = ROLES | {"media": series.media}
    asked = {"n_harmonics": 2, "periods_per_year": 52.0}
    graph = StructuralVAR(**common, **asked, n_bootstraps=3, random_state=4)
    model = DeepCausalMMMRegressor(
        **common, **asked, graph=graph, n_draws=0, max_iter=2, random_state=1
    ).fit(series.X, series.y)
    same_graph(clone(graph).fit(series.X).channel_graph(), model.channel_graph())


def test_harmonics_are_those_of_a_single_series(series):
    found = [
        StructuralVAR(**ROLES, **QUICK, n_harmonics=n).fit(series.X).channel_graph()
        for n in (None, 3, 1)
    ]
    same_graph(found[0], found[1])
    # Two terms per harmonic.
    assert found[2].n_rows == found[0].n_rows + 4


def test_settings_of_notears(world):
    def edges(**settings):
        graph = NOTEARS(**ROLES, **QUICK, **settings).fit(world.X)
        return (graph.causal_graph_ != 0).sum()

    assert edges(threshold=10.0) == edges(lambda1=10.0) == 0
    assert edges(lambda1=0.3) < edges(lambda1=0.0, threshold=0.0)
    assert edges(threshold=0.03) == edges() > 0


def test_rules(world):
    pair = ("media_1", "media_3")
    graph = StructuralVAR(**ROLES, **QUICK)
    for rules in (
        {"forbidden_edges": [pair]},
        {"tiers": [["media_3"], ["media_1"]]},
    ):
        found = clone(graph).set_params(**rules).fit(world.X).channel_graph()
        assert found.verdict.loc[pair] == "no edge"
    asked = clone(graph).set_params(required_edges=[("media_2", "media_1")])
    assert asked.fit(world.X).causal_graph_[1, 0] != 0


# --- tables -------------------------------------------------------------------------


def test_order_of_rows_and_columns(world):
    order = np.random.default_rng(0).permutation(len(world.X))
    graph = StructuralVAR(**ROLES, **QUICK).fit(world.X)
    shuffled = clone(graph).fit(world.X.iloc[order])
    same_graph(shuffled.channel_graph(), graph.channel_graph())
    turned = clone(graph).fit(world.X[world.X.columns[::-1]])
    assert turned.media_ == graph.media_[::-1]
    assert_array_equal(turned.causal_graph_, graph.causal_graph_[::-1, ::-1])


def test_kinds_of_tables(world):
    graph = StructuralVAR(**ROLES, **QUICK).fit(world.X)
    assert list(graph.feature_names_in_) == list(world.X.columns)
    assert graph.n_features_in_ == world.X.shape[1]
    polars = clone(graph).fit(pl.from_pandas(world.X))
    same_graph(polars.channel_graph(), graph.channel_graph())
    position = {name: i for i, name in enumerate(world.X.columns)}
    array = StructuralVAR(
        region=position["region"],
        time=position["week"],
        controls=[position["price"], position["holiday"]],
        **QUICK,
    ).fit(world.X.to_numpy(dtype=object))
    # Arrays and frames lie in memory in other ways, and sums round in other ways.
    assert_allclose(array.causal_graph_, graph.causal_graph_, rtol=1e-12)
    assert array.media_ == [position[name] for name in world.media]


@pytest.mark.parametrize(
    ("settings", "change", "message"),
    [
        ({"time": None}, {}, "StructuralVAR needs to know .* set time to the column"),
        ({"time": "day"}, {}, "time='day' is not a column of X"),
        ({"media": ["media_1"]}, {}, r"two media columns, .* 1: \['media_1'\]"),
        ({"media": ["media_1", "week"]}, {}, "'week' has two roles"),
        ({"tiers": [["tv"]]}, {}, "tiers='tv' is not a column"),
        ({"tiers": [["price"]]}, {}, "tiers names 'price', which is not one of"),
        ({}, {"media_2": -1.0}, "passed to StructuralVAR: column 'media_2' is -1"),
        ({}, {"media_2": np.nan}, "NaN: column 'media_2' at region"),
        ({}, {"week": "2021-01-04"}, "'week' has a single period"),
        ({"region": None}, {"region": 1.0}, "Two rows for"),
        ({"max_lag": 0}, {}, "'max_lag' parameter of StructuralVAR"),
    ],
)
def test_errors_name_the_column(world, settings, change, message):
    graph = StructuralVAR(**ROLES | settings)
    X = world.X.drop(columns="week") if settings.get("time", "") is None else world.X
    with pytest.raises(ValueError, match=message):
        graph.fit(X.assign(**change))
    assert not hasattr(graph, "causal_graph_")


def test_the_graph_is_asked_after_fit():
    with pytest.raises(ValueError, match="not fitted yet"):
        StructuralVAR().channel_graph()


# --- as an estimator ----------------------------------------------------------------


class Ordered:
    """Takes rows for periods: the data of the common checks have no time column."""

    def _times(self, frame, columns, region):
        period = np.arange(len(frame))
        return infer_calendar(pd.Series(period), "position"), period


class OrderedVAR(Ordered, StructuralVAR):
    pass


class OrderedNOTEARS(Ordered, NOTEARS):
    pass


# One lag, as some checks have ten channels.
ORDERED = [
    OrderedVAR(max_lag=1, n_bootstraps=2),
    OrderedNOTEARS(max_lag=1, n_bootstraps=1, lambda1=0.3),
]


@parametrize_with_checks(ORDERED)
def test_common_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", ORDERED, ids=repr)
@pytest.mark.parametrize(
    "check",
    [check_param_validation, check_dataframe_column_names_consistency],
    ids=lambda check: check.__name__,
)
def test_checks_that_check_estimator_leaves_out(estimator, check):
    check(type(estimator).__name__, estimator)


def test_tags():
    assert get_tags(StructuralVAR()).input_tags.positive_only
    assert not get_tags(NOTEARS(controls=["price"])).input_tags.positive_only
    assert get_tags(StructuralVAR()).requires_fit


def test_parameters():
    shared = StructuralVAR().get_params()
    assert NOTEARS().get_params() == shared | {"lambda1": None, "threshold": 0.03}
    graph = NOTEARS(tiers=[["a"], ["b"]], lambda1=0.1)
    assert clone(graph).get_params() == graph.get_params()
    assert repr(graph) == "NOTEARS(lambda1=0.1, tiers=[['a'], ['b']])"


def test_fit_leaves_parameters_alone_and_can_be_repeated(world):
    graph = StructuralVAR(**ROLES, **QUICK)
    before = copy.deepcopy(graph.get_params())
    assert graph.fit(world.X) is graph
    assert graph.get_params() == before
    restored = pickle.loads(pickle.dumps(graph))
    same_graph(restored.channel_graph(), graph.channel_graph())
    same_graph(graph.fit(world.X, world.y).channel_graph(), restored.channel_graph())


def test_picture_of_a_graph_alone(world, pyplot):
    graph = StructuralVAR(**ROLES, **QUICK).fit(world.X)
    display = ChannelGraphDisplay.from_estimator(graph)
    same_graph(display.graph, graph.channel_graph())
