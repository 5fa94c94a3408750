"""Steps of log effects in periods after training."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from network_problems import M, R, T, answer_by_differences, entries_of, make_problem
from skmmm._model import ADSTOCKS
from skmmm._model.jacobian import jacobian
from skmmm._model.steps import Steps, later_steps, with_steps

TRAINED = T - 9


def rows_until(n_periods):
    """Return what `later_steps` looks at in a panel."""
    return SimpleNamespace(shape=(R, n_periods, M), first_period=100)


def stepped(adstock="geometric", seed=3):
    """Return a problem whose effects step twice."""
    network, inputs, target = make_problem(adstock)
    steps = Steps(
        torch.tensor([TRAINED, TRAINED + 4]), torch.tensor([0.2, 0.1]).double()
    )
    chance = torch.randn(1, M, 2, generator=torch.Generator().manual_seed(seed))
    network = with_steps(network, steps, chance.double())
    return network, replace(inputs, steps=steps.columns(torch.arange(T))), target


@pytest.mark.parametrize("adstock", ADSTOCKS)
def test_derivatives_by_steps(adstock):
    network, inputs, target = stepped(adstock)
    where = entries_of(network, "effect_step")
    (prior,) = (p for p in network.shared_priors if p.name == "effect_step")
    got = jacobian(network, inputs, target, "shared", [(prior, where)])
    assert len(got) == 2 * M
    for answer, entry in zip(got, range(where.start, where.stop), strict=True):
        expected = answer_by_differences(network, inputs, target, "shared", entry)
        assert_allclose(answer, expected, atol=1e-6)
        assert expected.abs().max() > 1e-4


def test_effects_step_and_stay():
    network, inputs, _ = stepped()
    still, *_ = make_problem()
    values = network.values()
    found = network.visible_media_effects(values, inputs)
    before = still.visible_media_effects(still.values(), inputs)
    log = torch.log(found / before)[0, 0].numpy()  # (M, T)
    steps = values["effect_step"][0].numpy()
    assert_allclose(log[:, :TRAINED], 0.0, atol=1e-12)
    first = np.repeat(steps[:, :1], 4, axis=1)
    assert_allclose(log[:, TRAINED : TRAINED + 4], first, rtol=1e-9)
    both = np.repeat(steps.sum(axis=1)[:, None], T - TRAINED - 4, axis=1)
    assert_allclose(log[:, TRAINED + 4 :], both, rtol=1e-9)
    total = network.visible_total(values, inputs)
    assert_allclose(total, found.sum(dim=2), rtol=1e-9)


def test_more_steps_leave_others_where_they_are():
    network, *_ = stepped()
    more = Steps(
        *(torch.cat([part, part[-1:]]) for part in vars(network.steps).values())
    )
    wider = with_steps(network, more, torch.zeros(1, M, 1).double())
    for name, value in network.values().items():
        found = wider.values()[name]
        assert_allclose(found[..., :2] if name == "effect_step" else found, value)
    assert (wider.values()["effect_step"][..., 2] == 0).all()


@pytest.mark.parametrize("calls", [[13], [1] * 13, [4, 4, 4, 1], [5, 8]])
def test_steps_do_not_depend_on_how_periods_come(calls):
    steps, until = None, 52
    for n_new in calls:
        until += n_new
        steps = later_steps(steps, 52, rows_until(until), n_new, 0.05)
    assert steps.start.tolist() == [152, 156, 160, 164]
    assert_allclose(steps.sd, 0.1)


def test_no_drift_no_steps():
    assert later_steps(None, 52, rows_until(60), 8, 0.0) is None
    known = Steps(torch.tensor([152]), torch.tensor([0.1]))
    assert later_steps(known, 52, rows_until(55), 2, 0.05) is known
