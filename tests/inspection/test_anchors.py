"""What a fitted model learned becomes priors of another one."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import logit
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skmmm import DeepCausalMMMRegressor
from skmmm.baselines import make_linear_mmm
from skmmm.inspection import priors_from
from skmmm.model_selection import PanelTimeSeriesSplit

TOLD = ["media_1", "media_3"]  # of the panel, by `fitted`
QUANTITIES = ["roi", "decay", "half_saturation"]


@pytest.fixture
def verdicts(fitted, monkeypatch):
    """Let `fitted` have other verdicts."""

    def say(*words):
        judged = fitted._judgements() | {"verdict": np.array(words, dtype=object)}
        monkeypatch.setattr(fitted, "_judgements", lambda: judged, raising=False)

    return say


def middle(interval, scale=np.log):
    return scale(np.array(interval)).mean()


def width(interval, scale=np.log):
    return np.ptp(scale(np.array(interval)))


def test_intervals_are_those_of_the_draws(fitted):
    priors = priors_from(fitted, channels=TOLD)
    summary = fitted.channel_summary()
    assert list(priors) == TOLD
    for label, own in priors.items():
        assert list(own) == QUANTITIES
        low, high = summary.loc[label, ["roi_low", "roi_high"]]
        # Bounds of summaries are of few draws, and a little wider.
        assert low * 0.9 <= own["roi"][0] < own["roi"][1] <= high * 1.1
    share = dict(zip(fitted.media_, fitted.carryover_share_, strict=True))
    halves = dict(zip(fitted.media_, fitted.half_saturation_, strict=True))
    for label in TOLD:
        half = halves[label]
        assert priors[label]["half_saturation"][0] < 1.3 * half
        assert priors[label]["half_saturation"][1] > 0.7 * half
        assert abs(middle(priors[label]["decay"], logit) - logit(share[label])) < 1.0


def test_weight_widens_where_priors_are_normal(fitted):
    full, quarter = (priors_from(fitted, w, TOLD) for w in (1.0, 0.25))
    for label in TOLD:
        for name, scale in zip(QUANTITIES, (np.log, logit, np.log), strict=True):
            one, other = full[label][name], quarter[label][name]
            assert width(other, scale) == pytest.approx(2 * width(one, scale))
            assert other[0] < one[0] < one[1] < other[1]


def test_size_is_of_saturation_only(fitted):
    same, twice = (priors_from(fitted, 1, TOLD, size=s) for s in (1, 2.0))
    for label in TOLD:
        assert twice[label]["roi"] == same[label]["roi"]
        assert twice[label]["decay"] == same[label]["decay"]
        assert_allclose(
            twice[label]["half_saturation"],
            2 * np.array(same[label]["half_saturation"]),
        )


def test_some_quantities(fitted, panel):
    priors = priors_from(fitted, 1.0, panel.media, quantities=["decay"])
    assert list(priors) == panel.media
    assert all(list(own) == ["decay"] for own in priors.values())
    whole = priors_from(fitted, 1.0, TOLD)
    assert all(priors[label]["decay"] == whole[label]["decay"] for label in TOLD)


def test_only_what_data_told(fitted, verdicts):
    verdicts("data-driven", "prior-driven", "not identified")
    with pytest.warns(UserWarning, match="No priors from 'media_2', 'media_3'"):
        priors = priors_from(fitted)
    assert list(priors) == ["media_1"]
    assert list(priors_from(fitted, channels=["media_3", 2])) == ["media_3", "media_1"]


def test_effects_that_may_be_nothing(fitted, verdicts, monkeypatch):
    verdicts(*["data-driven"] * 3)
    network = fitted._model.network
    monkeypatch.setattr(
        type(network), "visible_effects", lambda self, values: -values["effect"].abs()
    )
    with pytest.raises(ValueError, match="'media_1' may cause nothing, or less"):
        priors_from(fitted, channels=["media_1"])
    with pytest.warns(UserWarning, match="it may be negative"):
        assert priors_from(fitted) == {}


def test_a_later_peak_is_no_decay(fitted, monkeypatch):
    weights = np.array([[[0.2, 0.5, 0.3], [0.6, 0.3, 0.1], [0.4, 0.3, 0.3]]])
    found = fitted._counterfactual(None)
    monkeypatch.setattr(type(found), "carryover_weights", lambda self: weights)
    priors = priors_from(fitted, channels=TOLD)
    assert ["decay" in priors[label] for label in TOLD] == [False, True]


def test_decay_is_the_one_of_geometric_carry_over(panel, fast):
    model = DeepCausalMMMRegressor(**fast | {"adstock": "geometric", "max_lag": 3})
    model.set_params(n_draws=8).fit(panel.X, panel.y)
    decay = np.exp(np.diff(np.log(model._model.summary(draws=True)["carryover"])))
    assert_allclose(model._anchor_draws()["decay"], decay[..., 0], rtol=1e-3)


@pytest.mark.parametrize(
    "options", [{"adstock": "free"}, {"adstock": "delayed"}, {"max_lag": 0}], ids=str
)
def test_models_without_a_decay(panel, fast, options):
    model = DeepCausalMMMRegressor(**fast | options).set_params(n_draws=8)
    priors = priors_from(model.fit(panel.X, panel.y), channels=["media_1"])
    assert list(priors["media_1"]) == ["roi", "half_saturation"]


def test_a_new_model_takes_them(fitted, panel, fast):
    priors = priors_from(fitted, channels=["media_1"])
    one = panel.X["region"] == "region_1"
    model = DeepCausalMMMRegressor(**fast, priors=priors)
    found = model.fit(panel.X[one], panel.y[one])._model.network.channel_priors
    assert found.pooled.tolist() == [False, True, True]
    low, high = np.log(priors["media_1"]["half_saturation"])
    spread = found.half_saturation_spread[0]
    assert float(spread) == pytest.approx((high - low) / 2 / 1.6449, rel=1e-3)


@pytest.mark.filterwarnings("ignore:The spend of")
def test_the_best_model_of_a_search(panel, fast):
    model = DeepCausalMMMRegressor(**fast).set_params(n_draws=8, max_iter=3)
    splits = PanelTimeSeriesSplit(2, test_size=4, time="week")
    search = GridSearchCV(model, {"max_lag": [3]}, cv=splits).fit(panel.X, panel.y)
    assert list(priors_from(search, channels=["media_1"])) == ["media_1"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"weight": 0}, r"weight must be a number in \(0, 1\]"),
        ({"weight": 1.5}, r"weight must be a number in \(0, 1\]"),
        ({"quantities": "roi"}, "quantities must be a list of some of"),
        ({"quantities": ["slope"]}, "quantities must be a list of some of"),
        ({"quantities": []}, "quantities must be a list of some of"),
        ({"quantities": None}, "quantities must be a list of some of"),
        ({"size": -1.0}, "size must be a number above 0"),
        ({"channels": "media_1"}, "channels must be a list"),
        ({"channels": ["radio"]}, "channels names 'radio'"),
    ],
)
def test_what_makes_no_sense(fitted, options, said):
    with pytest.raises(ValueError, match=said):
        priors_from(fitted, **options)


def test_models_that_cannot_say(panel, fast):
    linear = make_linear_mmm(media=panel.media).fit(panel.X, panel.y)
    with pytest.raises(ValueError, match="needs a DeepCausalMMMRegressor, got Pipel"):
        priors_from(linear)
    few = DeepCausalMMMRegressor(**fast).fit(panel.X, panel.y)
    with pytest.raises(ValueError, match="at least 8 draws, the model has 4"):
        priors_from(clone(few).fit(panel.X, panel.y))
