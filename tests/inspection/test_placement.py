"""Spend that tells nothing of its effect rings an alarm; honest spend does not."""

import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from skmmm import DeepCausalMMMRegressor
from skmmm._estimator.alarms import placement_alarms, warn_of_alarms
from skmmm.inspection import _placement as placement
from skmmm.inspection._placement import spend_alarms

N_PERIODS, LAST = 130, 2


def make_shops(seed, how="", *, n_regions=1, noise=0.03):
    """Two channels that work, and a last one whose spend is placed in some way.

    Returns
    -------
    arguments : dict
        Of `spend_alarms`.
    """
    rng = np.random.default_rng(seed)
    shape = (n_regions, N_PERIODS)
    weeks = np.arange(N_PERIODS)
    angle = 2 * np.pi * weeks / 52.18
    season = np.array([np.sin(angle), np.cos(angle)])
    price = rng.normal(size=shape)
    walk = rng.normal(0.0, 0.005, shape).cumsum(axis=1)
    rest = 1.0 + 0.08 * season[0] - 0.02 * price + walk + rng.normal(0.0, noise, shape)
    media = np.exp(lfilter([1.0], [1.0, -0.4], rng.normal(0, 0.5, (*shape, 3)), axis=1))
    effect = np.array([0.15, 0.2, 0.0])
    if how == "harms":
        effect[LAST] = -0.2
    if how in ("works", "launched"):
        effect[LAST] = 0.25
    early = weeks < 60
    dark = {"launched": early, "switched": early, "bent": early, "ended": weeks >= 90}
    if how in dark:
        media[:, dark[how], LAST] = 0.0
    if how == "event":
        event = rng.random(N_PERIODS) < 0.15
        rest += 0.25 * event
        media[..., LAST] *= 1 + event
    after, since = weeks >= 60, np.maximum(weeks - 60, 0) / 30
    until = np.minimum(90 - weeks, 0) / 30
    rest += 0.2 * {"switched": after, "bent": since, "ended": until}.get(how, 0.0)
    carried = lfilter([0.6], [1.0, -0.4], media, axis=1)
    kpi = rest + (effect * carried / (1 + carried)).sum(axis=-1)
    own = np.exp(rng.normal(0.0, 0.1, shape))
    if how == "equals":
        media[..., LAST] = 0.01 * kpi
    if how == "reacts":
        media[..., LAST] = kpi**3 * own
    if how == "anticipates":
        media[..., LAST] = np.roll(kpi, -1, axis=1) ** 3 * own
    return {
        "media": 40.0 * media,
        "kpi": 1_000.0 * kpi,
        "observed": np.ones(shape, dtype=bool),
        "controls": price[..., None],
        "season": season,
    }


@pytest.mark.parametrize("n_regions", [1, 5])
@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("equals", placement.REACTS),
        ("reacts", placement.REACTS),
        ("anticipates", placement.ANTICIPATES),
        ("switched", placement.SWITCH),
        ("bent", placement.SWITCH),
        ("ended", placement.SWITCH),
        ("event", placement.EVENT),
    ],
)
def test_each_reason_is_found(how, reason, n_regions):
    shops = [make_shops(seed, how, n_regions=n_regions) for seed in range(6)]
    results = [spend_alarms(**one) for one in shops]
    found = [result[LAST] for result in results]
    # Of spend that reacts to the KPI, past KPI can be seen as well.
    assert sum(alarm in (reason, placement.FOLLOWS) for alarm in found) >= 5
    assert found.count(reason) >= 4
    # Past spend that anticipated this KPI can make other channels look alike.
    assert sum(alarm != "" for r in results for alarm in r[:LAST]) <= 3


def test_harm_is_found_where_there_is_enough_data():
    results = [spend_alarms(**make_shops(s, "harms", n_regions=8)) for s in range(6)]
    assert [result[LAST] for result in results] == [placement.LOWERS] * 6


@pytest.mark.parametrize("n_regions", [1, 5])
@pytest.mark.parametrize("how", ["", "works", "launched"])
def test_honest_channels_ring_no_alarm(how, n_regions):
    results = [
        spend_alarms(**make_shops(s, how, n_regions=n_regions)) for s in range(8)
    ]
    assert sum(alarm != "" for result in results for alarm in result) <= 1


def test_a_strong_effect_in_little_noise_is_no_reaction():
    for seed in range(6):
        shops = make_shops(seed, "works", noise=0.002)
        assert placement.REACTS not in spend_alarms(**shops)


def test_a_launch_at_another_time_in_each_region_is_no_switch():
    shops = make_shops(0, "switched", n_regions=5)
    for region in range(5):
        shops["media"][region, : 20 + 15 * region, LAST] = 0.0
        shops["media"][region, 20 + 15 * region : 60, LAST] = 30.0
    assert spend_alarms(**shops)[LAST] != placement.SWITCH


def test_constant_spend_after_a_break_is_one_switch():
    shops = make_shops(0, "switched", n_regions=3)
    shops["media"][..., LAST] = 50.0 * (np.arange(N_PERIODS) >= 60)
    assert spend_alarms(**shops)[LAST] == placement.SWITCH
    # The same when it stops.
    backwards = {
        name: shops[name][:, ::-1] for name in ("media", "kpi", "observed", "controls")
    }
    shops |= backwards | {"season": shops["season"][:, ::-1]}
    assert spend_alarms(**shops)[LAST] == placement.SWITCH


@pytest.mark.parametrize("how", ["equals", "reacts", "event", "switched"])
def test_units_and_order_do_not_matter(how):
    shops = make_shops(1, how, n_regions=3)
    expected = spend_alarms(**shops)
    shops["media"] = shops["media"][::-1, :, ::-1] * [1e-3, 1.0, 1e6]
    for name, unit in (("kpi", 1e5), ("observed", 1), ("controls", 1e4)):
        shops[name] = shops[name][::-1] * unit
    assert spend_alarms(**shops) == expected[::-1]


def test_masked_cells_are_not_looked_at():
    shops = make_shops(1, "reacts", n_regions=3)
    hidden = np.random.default_rng(0).random(shops["observed"].shape) < 0.02
    shops["observed"] = ~hidden
    expected = spend_alarms(**shops)
    assert expected[LAST] == placement.REACTS
    for name in ("media", "kpi", "controls"):
        shops[name][hidden] = np.nan
    assert spend_alarms(**shops) == expected


@pytest.mark.parametrize("what", ["short", "no spend", "constant kpi", "no channel"])
def test_without_data_there_is_no_alarm(what):
    shops = make_shops(0, "reacts")
    if what == "short":
        names = ("media", "kpi", "observed", "controls", "season")
        shops = {name: shops[name][:, :30] for name in names}
    if what == "no spend":
        shops["media"][:] = 0.0
    if what == "constant kpi":
        shops["kpi"][:] = 5.0
    if what == "no channel":
        shops["media"] = shops["media"][..., :0]
    assert set(spend_alarms(**shops)) <= {""}


@pytest.mark.filterwarnings(r"ignore:The spend of \[2\] moves with that of a channel")
def test_the_regressor_warns_with_the_reason_and_calls_it_not_identified():
    shops = make_shops(0, "reacts")
    X = np.column_stack([np.arange(N_PERIODS), shops["media"][0]])
    model = DeepCausalMMMRegressor(
        media=[1, 2, 3], time=0, periods_per_year=52, n_draws=8, max_iter=20
    )
    with pytest.warns(UserWarning, match=r"spend of \[3\] reacts to the KPI"):
        model.fit(X, shops["kpi"][0])
    summary = model.channel_summary()
    assert list(summary["alarm"]) == ["", placement.ACCOMPANIES, placement.REACTS]
    assert summary["verdict"].iloc[LAST] == "not identified"


def test_warnings_say_what_is_done_to_estimates():
    """But for channels left out of the model, of which the reason says it."""
    media = ("tv", "radio", "search", "print")
    estimator = SimpleNamespace(_columns=SimpleNamespace(media=media))
    lasts, reacts = placement.LASTS, placement.REACTS
    alarms = np.array([lasts, lasts, reacts, ""], dtype=object)
    with pytest.warns(UserWarning, match="The spend of") as told:
        warn_of_alarms(estimator, alarms, np.array([True, False, True, False]))
    reacting, lasting = (str(one.message) for one in told)
    assert "The spend of ['search'] reacts" in reacting
    assert "half of what moves" not in reacting
    assert "The spend of ['tv', 'radio'] seems to act" in lasting
    assert "half of what moves with ['tv'] is called the effect" in lasting


def test_a_channel_that_moves_in_groups_as_the_kpi_does_is_not_identified():
    rng = np.random.default_rng(0)
    shape = 12, 60
    groups = np.cumsum(rng.normal(size=(3, 60)), axis=1)[np.arange(12) % 3]
    groups = (groups - groups.mean(axis=1, keepdims=True)) / groups.std()
    media = np.exp(0.5 * rng.normal(size=(*shape, 2)))
    media[..., 1] *= np.exp(0.5 * groups)
    kpi = 100.0 * (1.0 + 0.1 * groups + 0.02 * rng.normal(size=shape))
    region, week = np.indices(shape).reshape(2, -1)
    X = np.column_stack([region, week, media.reshape(-1, 2)])
    model = DeepCausalMMMRegressor(
        media=[2, 3], region=0, time=1, n_draws=48, max_iter=20, max_lag=2, graph=None
    )
    with pytest.warns(UserWarning, match=r"spend of \[3\]"):
        model.fit(X, kpi.ravel())
    summary = model.channel_summary()
    assert summary["alarm"].iloc[0] == ""
    assert summary["alarm"].iloc[1] != ""
    assert summary["verdict"].iloc[1] == "not identified"
    # It does nothing, and how much it seems to do is far from sure.
    low, high = summary[["contribution_low", "contribution_high"]].iloc[1]
    assert low < high / 2.0
    parts = model.baseline_parts().sum(axis=1)
    baseline = model.contributions()["baseline"]
    np.testing.assert_allclose(parts, baseline, rtol=1e-9)
    assert "confounding" in model.baseline_parts()


def test_a_column_that_equals_the_kpi_takes_nothing_from_other_channels():
    shops = make_shops(0, "equals")
    found = {}
    for n_media in (2, 3):
        X = np.column_stack([np.arange(N_PERIODS), shops["media"][0, :, :n_media]])
        model = DeepCausalMMMRegressor(
            media=[*range(1, n_media + 1)],
            time=0,
            periods_per_year=52,
            media_share=0.15 * n_media,  # the same for each
            n_draws=0,
            max_iter=100,
            graph=None,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, shops["kpi"][0])
        found[n_media] = model.channel_summary()["contribution"].to_numpy()
    assert (found[2] > 0.0).all()
    np.testing.assert_allclose(found[3][:2], found[2], rtol=0.05)


def test_harm_is_no_alarm_where_it_is_allowed():
    shops = make_shops(0, "harms", n_regions=12)
    X = shops["media"].reshape(-1, 3)
    region, week = np.indices(shops["kpi"].shape).reshape(2, -1)
    X = np.column_stack([region, week, X])
    arguments = {"media": [2, 3, 4], "region": 0, "time": 1, "n_draws": 0}
    for free, alarm in (([4], ""), (None, placement.LOWERS)):
        model = DeepCausalMMMRegressor(**arguments, free_sign=free, max_iter=5)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.fit(X, shops["kpi"].ravel())
        assert model.channel_summary()["alarm"].iloc[LAST] == alarm
        told = [str(one.message) for one in caught]
        assert any("goes with a lower KPI" in text for text in told) == bool(alarm)


def test_more_than_the_whole_kpi_rings():
    effects = np.array([[1.2, 1.2, 0.9, 1.5, 1.2]])
    network = SimpleNamespace(
        free_sign=torch.tensor([False, True, False, False, False]),
        level=False,
        grouped=torch.zeros(5, dtype=torch.bool),
        sizes=SimpleNamespace(max_lag=0),
        adstock="gru",
        channel_priors=SimpleNamespace(
            pooled=torch.tensor([True, True, True, True, False]),
            carryover=torch.zeros(5),
            carryover_spread=torch.ones(5),
        ),
    )
    model = SimpleNamespace(
        network=network,
        demand=None,
        history=SimpleNamespace(media=np.zeros((1, 1, 5))),
        mean_effects_of=lambda *_: effects,
    )
    before = np.array(["", "", "", placement.SWITCH, ""], dtype=object)
    found = placement_alarms(model, None, before, None)
    assert found.tolist() == [placement.WHOLE, "", "", placement.SWITCH, ""]


@pytest.mark.parametrize("decay", [0.3, 0.7, 0.93])
def test_effects_that_last_longer_than_expected_ring(decay):
    rng = np.random.default_rng(0)
    spend = rng.gamma(1.0, 1.0, (200, 2)) * (rng.random((200, 2)) < 0.3)
    late = lfilter([1.0 - decay], [1.0, -decay], spend[:, 0])
    kpi = 10.0 + 3.0 * late / (late.mean() + late) + 0.02 * rng.normal(size=200)
    X = np.column_stack([np.arange(200), spend])
    arguments = {"media": [1, 2], "time": 0, "max_lag": 13, "n_draws": 0}
    arguments |= {"adstock": "geometric", "periods_per_year": 52, "max_iter": 40}

    def alarms(priors):
        model = DeepCausalMMMRegressor(**arguments, priors=priors)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return model.fit(X, kpi).channel_summary()["alarm"].tolist()

    assert alarms(None) == [placement.LASTS if decay > 0.9 else "", ""]
    for known in ({"decay": (0.9, 0.96)}, {"roi": (0.5, 2.0)}):
        assert placement.LASTS not in alarms({1: known})


def test_the_guide_lists_alarms_in_their_order():
    guide = Path(__file__).parents[2] / "docs" / "user_guide" / "uncertainty.rst"
    table = guide.read_text().split("what was seen in spend and KPI", 1)[1]
    cells, name = [], []
    for line in table.splitlines()[2:]:
        if line.startswith("=="):
            break
        told = line[:40].strip().strip("`")
        if told:
            name.append(told)
        joined = " ".join(name)
        if joined in placement.ADVICE:
            cells.append(joined)
            name = []
    assert cells == list(placement.ADVICE)
    for alarm in placement.ADVICE:
        told = " ".join(DeepCausalMMMRegressor.channel_summary.__doc__.split())
        assert f'"{alarm}"' in told
