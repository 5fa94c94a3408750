"""Blocks of regions side by side: the same numbers, and nothing left behind."""

import threading
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal

from network_problems import GAUSS, make_problem
from skmmm import DeepCausalMMMRegressor
from skmmm._model import adstock, laplace, posterior, responses
from skmmm._model.laplace import information
from skmmm._model.likelihood import log_likelihood
from skmmm._model.threads import of_each, threads_for_blocks
from skmmm.datasets import make_mmm_panel


@pytest.fixture
def two_processors(monkeypatch):
    monkeypatch.setattr("skmmm._model.threads.n_processors", lambda: 2)


@pytest.fixture
def small_blocks(monkeypatch):
    for room in (adstock, responses):
        monkeypatch.setattr(room, "_BLOCK", 1)
    monkeypatch.setattr(laplace, "BLOCK", 1)
    monkeypatch.setattr(posterior, "_CELLS", 1)


def with_threads(n_threads, compute):
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        return compute()
    finally:
        torch.set_num_threads(before)


def on_threads(n_threads, compute):
    def blocks():
        with threads_for_blocks():
            return compute()

    return with_threads(n_threads, blocks)


def everything():
    """Return density, gradient and information of a panel of several blocks."""
    network, inputs, target = make_problem(n_regions=7)
    parts = [network.shared.requires_grad_(), network.regional.requires_grad_()]
    density = log_likelihood(network.at(*parts), inputs, target, GAUSS)
    found = [density, *torch.autograd.grad(density.sum(), parts)]
    known = information(network, inputs, target, GAUSS)
    return [part.detach().numpy() for part in [*found, known.shared, known.cross]]


@pytest.mark.usefixtures("two_processors", "small_blocks")
def test_results_do_not_depend_on_the_number_of_threads():
    for one, two in zip(
        on_threads(1, everything), on_threads(2, everything), strict=True
    ):
        assert_array_equal(one, two)


@pytest.mark.usefixtures("two_processors")
def test_blocks_are_computed_side_by_side_and_in_order():
    meeting = threading.Barrier(2, timeout=30)

    def meet(block):
        assert not torch.is_grad_enabled()
        meeting.wait()  # only both together come past it
        return block, torch.get_num_threads()

    assert on_threads(2, lambda: of_each(meet, [0, 1])) == [(0, 1), (1, 1)]


@pytest.mark.usefixtures("two_processors")
def test_nothing_is_left_behind():
    before = threading.active_count(), torch.get_num_threads()
    on_threads(2, lambda: of_each(np.sqrt, [1.0, 4.0, 9.0]))
    assert (threading.active_count(), torch.get_num_threads()) == before
    here = threading.get_ident()
    assert of_each(lambda _: threading.get_ident(), [0, 1]) == [here, here]


@pytest.mark.usefixtures("two_processors", "small_blocks")
def test_fits_do_not_depend_on_the_number_of_threads():
    data = make_mmm_panel(4, 40, n_media=2, random_state=0)
    settings = {"max_iter": 8, "n_draws": 4, "graph": None, "random_state": 0}
    roles = {"media": data.media, "region": "region", "time": "week"}

    def fitted():
        model = DeepCausalMMMRegressor(**roles, **settings, max_lag=2)
        return model.fit(data.X, data.y).channel_summary()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one, two = (with_threads(n, fitted) for n in (1, 2))
    pd.testing.assert_frame_equal(one, two, check_exact=True)


@pytest.mark.usefixtures("two_processors")
def test_blocks_within_blocks_are_computed_where_they_are():
    def within(block):
        own = threading.get_ident()
        assert of_each(lambda _: threading.get_ident(), [0, 1]) == [own, own]
        return block

    assert on_threads(2, lambda: of_each(within, range(4))) == [0, 1, 2, 3]


@pytest.mark.usefixtures("two_processors")
def test_errors_of_a_block_are_raised():
    def fail(block):
        raise FloatingPointError(f"block {block}")

    with pytest.raises(FloatingPointError, match="block 0"):
        on_threads(2, lambda: of_each(fail, [0, 1]))
