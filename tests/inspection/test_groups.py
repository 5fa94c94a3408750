"""A total that is known while its split is not is said so."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from skmmm import DeepCausalMMMRegressor
from skmmm.inspection._verdicts import find_twins, known_together

WIDE = np.exp(np.random.default_rng(1).normal(0.0, 1.5, (4000, 5)))


def split(total, share):
    return np.column_stack([total * share, total * (1.0 - share)])


@pytest.fixture
def effects():
    """Draws: 0 and 3 share a known sum, 1 is known, 2 and 4 are not."""
    rng = np.random.default_rng(0)
    pair = split(rng.normal(10.0, 0.5, 64), rng.uniform(0.02, 0.98, 64))
    known, free = rng.normal(5.0, 0.5, 64), np.exp(rng.normal(0.0, 1.5, (64, 2)))
    return np.column_stack([pair[:, 0], known, free[:, 0], pair[:, 1], free[:, 1]])


def find(effects, unknown=(0, 2, 3, 4), twins=()):
    pairs = np.zeros((5, 5), dtype=bool)
    for i, j in twins:
        pairs[i, j] = pairs[j, i] = True
    return known_together(effects, WIDE, np.isin(range(5), unknown), pairs).tolist()


def test_two_channels_that_share_a_known_sum_are_a_group(effects):
    assert find(effects) == [0, -1, -1, 0, -1]


def test_channels_that_are_known_or_doubted_are_in_no_group(effects):
    assert find(effects, unknown=(0, 2, 4)) == [-1] * 5


def test_few_draws_know_no_sum(effects):
    assert find(effects[:7]) == [-1] * 5


def test_twins_need_no_correlation(effects):
    """With the sum barely known, draws of twins hardly tell that they trade."""
    rng = np.random.default_rng(2)
    effects[:, [2, 4]] = np.exp(rng.normal(0.0, 0.5, (64, 2)))
    assert find(effects) == [0, -1, -1, 0, -1]
    assert find(effects, twins=[(2, 4)]) == [0, -1, 1, 0, 1]


def test_three_channels_that_share_a_known_sum_are_a_group(effects):
    rng = np.random.default_rng(3)
    effects[:, [0, 2, 4]] = 10.0 * rng.dirichlet([0.4] * 3, 64)
    effects[:, 3] = np.exp(rng.normal(0.0, 1.5, 64))
    assert find(effects) == [0, -1, 0, -1, 0]


def test_twins_have_the_same_column_and_no_prior_of_their_own():
    rng = np.random.default_rng(0)
    media = rng.lognormal(size=(2, 30, 3))
    media[0, :, 2], media[1, :, 2] = media[0, :, 0], 5.0 * media[1, :, 0]
    known = np.ones((2, 30), dtype=bool)
    media[1, 3, 2], known[1, 3] = 1e9, False  # does not count
    twins = find_twins(WIDE[:, :3], media, known)
    assert_array_equal(np.argwhere(twins), [[0, 2], [2, 0]])
    measured = WIDE[:, :3] ** [1.0, 1.0, 0.1]
    assert not find_twins(measured, media, known).any()


@pytest.fixture(scope="module")
def twins(short_chains, arguments, series):
    """A regressor that has seen one column twice."""
    few = {"max_lag": 1, "n_draws": 8, "max_iter": 15, "graph": None}
    model = DeepCausalMMMRegressor(**arguments | few)
    said = pytest.warns(UserWarning, match="'media_1', 'twin': the same values")
    with said, pytest.warns(ConvergenceWarning):
        return model.fit(series.X.assign(twin=series.X["media_1"]), series.y)


def test_one_column_given_twice_is_not_identified(twins):
    verdict = twins.channel_summary()["verdict"]
    assert (verdict[["media_1", "twin"]] != "data-driven").all()


@pytest.fixture
def joined(fitted):
    """The fitted model as if only the sum of two channels was known."""
    before = fitted._model
    fitted._model = replace(before, together=np.array([0, -1, 0]))
    yield fitted
    fitted._model = before


def test_a_group_has_the_sum_of_its_channels(joined):
    groups, single = joined.channel_groups(), joined.channel_summary()
    (row,) = groups.itertuples()
    own = single.loc[["media_1", "media_3"]]
    assert row.Index == "media_1 + media_3"
    assert row.channels == tuple(own.index)
    assert_allclose(row.contribution, own["contribution"].sum())
    assert_allclose(row.spend, own["spend"].sum())
    assert_allclose(row.roi, (own["roi"] * own["spend"]).sum() / row.spend)
    assert row.contribution_low <= row.contribution <= row.contribution_high
    width = own["contribution_high"] - own["contribution_low"]
    assert row.contribution_high - row.contribution_low <= width.sum()
    assert row.sentence.startswith("media_1 and media_3 together: ")
    assert row.sentence.endswith("; the split is not identified.")


def test_a_group_is_planned_as_one(joined):
    plan = joined.optimize_budget(bounds=(0.5, 1.5), allow_extrapolation=True)
    assert plan.x[0] == pytest.approx(plan.x[2], abs=1e-9)
    reason = plan.allocation["reason"]
    assert reason["media_1"].endswith("; in step with media_3")
    assert "in step" not in reason["media_2"]
    assert "media_1 + media_3" in plan.message or "Nothing better" in plan.message
    alone = joined.optimize_budget(
        bounds={"media_3": (0.5, 1.5)}, allow_extrapolation=True
    )
    assert not alone.allocation["reason"].str.contains("in step").any()
    general = joined.optimize_budget(bounds={None: (0.5, 1.5), "media_2": (0.9, 1.1)})
    assert general.x[0] == pytest.approx(general.x[2], abs=1e-9)
    assert abs(general.x[1] - 1.0) <= 0.1 + 1e-6


def test_a_group_is_planned_as_one_in_every_period(joined, panel):
    last = panel.X[panel.X["week"] >= np.unique(panel.X["week"])[-8]]
    spent = last.groupby("week")[["media_1", "media_3"]].sum().min(axis=1) > 0
    plan = joined.optimize_budget(X=last, by="period")
    multiples = plan.x.reshape(3, -1)
    assert plan.success
    assert spent.any()
    assert_allclose(multiples[0, spent], multiples[2, spent])


def test_without_a_group_the_table_is_empty(fitted):
    groups = fitted.channel_groups()
    assert len(groups) == 0
    assert "sentence" in groups
