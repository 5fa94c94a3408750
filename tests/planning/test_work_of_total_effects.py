"""Plans for total effects compute what they need once."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skmmm import DeepCausalMMMRegressor
from skmmm._estimator.counterfactual import ModelCounterfactual
from skmmm._model.scaling import ScaledChannel
from skmmm.datasets import make_mmm_panel
from skmmm.graph._equations import SpendEquations


@pytest.fixture(scope="module")
def model():
    """A regressor that knows that media_1 moves media_2; without draws."""
    graph = np.array([[0.0, 0.8], [0.0, 0.0]])
    data = make_mmm_panel(2, 60, n_media=2, graph=graph, random_state=0)
    return DeepCausalMMMRegressor(
        region="region",
        time="week",
        controls=data.controls,
        max_lag=4,
        n_draws=0,
        max_iter=40,
        random_state=0,
    ).fit(data.X, data.y)


@pytest.fixture
def what_if(model):
    """Counterfactual in which only the first of two channels drives the other."""
    found = model.effects().counterfactual("total")
    assert found.equations.descendants().tolist() == [[False, True], [False, False]]
    return found


def count(monkeypatch, owner, name):
    """Return the arguments of all calls of a method from now on."""
    calls, method = [], getattr(owner, name)

    def counted(self, *args, **named):
        calls.append((self, *args))
        return method(self, *args, **named)

    monkeypatch.setattr(owner, name, counted)
    return calls


def test_a_curve_follows_spend_once_for_all_multiples(what_if, monkeypatch):
    factors = np.linspace(0.5, 2.0, 12)
    followed = count(monkeypatch, SpendEquations, "_followed")
    under = count(monkeypatch, ScaledChannel, "under")
    what_if.curve(0, factors)
    assert len(followed) == 1
    # Of the child, per multiple and without spend; nothing else is carried over again.
    assert len(under) == len(factors) + 1
    what_if.spend_curve(0, factors)
    assert len(followed) == 2
    what_if.curve(1, factors)
    what_if.spend_curve(1, factors)
    assert len(followed) == 2


def test_draws_with_the_same_equations_are_followed_once(what_if):
    equations = what_if.equations.at(np.zeros(5, dtype=int))
    differ, draw = equations.distinct()
    assert differ.n_draws == 1
    assert draw.tolist() == [0] * 5
    weaker = what_if.equations.at(np.zeros(3, dtype=int))
    weaker.late[1] *= 0.5
    weaker.same[1] *= 0.5
    differ, draw = weaker.distinct()
    assert differ.n_draws == 2
    media = what_if.panel.media
    expected = weaker.react(media, 2.0 * media[..., 0], 0)
    assert_allclose(differ.react(media, 2.0 * media[..., 0], 0)[draw], expected)


def test_curves_are_computed_around_better_plans_only(model, monkeypatch):
    curves = count(monkeypatch, ModelCounterfactual, "curve")
    outcome, n_plans = ModelCounterfactual.outcome, [0]

    def ever_less(what_if, *plan, **named):
        n_plans[0] += not plan
        return outcome(what_if, *plan, **named) / (1.0 + n_plans[0])

    monkeypatch.setattr(ModelCounterfactual, "outcome", ever_less)
    model.optimize_budget(effect="total", allow_extrapolation=True)
    assert n_plans[0] > 2
    assert len(curves) == 2  # of two channels, around the first plan
