"""Of many regions some tell enough, and no region has to wait for its name."""

import numpy as np
import pytest

from skmmm import DeepCausalMMMRegressor
from skmmm._utils import regions
from skmmm._utils.regions import some_regions


@pytest.mark.parametrize("shape", [(1, 156, 6), (190, 107, 13), (800, 104, 10)])
def test_of_few_regions_all_are_taken(shape):
    np.testing.assert_array_equal(some_regions(*shape), np.arange(shape[0]))


def test_of_many_regions_some_are_taken_at_equal_distances():
    chosen = some_regions(10_000, 156, 20)
    assert chosen[0] == 0
    assert len(chosen) == 2**20 // (156 * 20)
    gaps = np.diff([*chosen, 10_000])
    assert gaps.max() - gaps.min() <= 1


def test_a_hundred_are_taken_however_much_each_has():
    assert len(some_regions(10_000, 10_000, 20)) == 100


@pytest.mark.parametrize("n_channels", [2, 3])
def test_a_large_panel_has_the_graph_and_the_alarms_of_a_part(
    monkeypatch, panel, arguments, n_channels
):
    """Alarms and edges come from some regions, links and effects from all."""
    monkeypatch.setattr(regions, "_ENOUGH", 2 * 60 * n_channels)
    monkeypatch.setattr(regions, "_FEWEST", 1)
    media = panel.media[:n_channels]
    model = DeepCausalMMMRegressor(media=media, **arguments).fit(panel.X, panel.y)
    graph = model.channel_graph()
    assert graph.n_regions == 2
    assert model._graph.equations.unit.shape == (3, n_channels)
    assert len(model.contributions()) == len(panel.X)
