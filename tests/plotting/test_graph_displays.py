"""Pictures of channel graphs: order, arrows and doubt."""

import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch

from skmmm import plotting
from skmmm.plotting._graph import drawn_pairs, layered

pytestmark = pytest.mark.usefixtures("pyplot")


def graph(weights, verdict=None, probability=None):
    weights = np.asarray(weights, dtype=float)
    names = [f"channel {i}" for i in range(len(weights))]
    if verdict is None:
        verdict = np.where(weights != 0, "edge", "no edge")
    if probability is None:
        probability = (weights != 0).astype(float)

    def table(values):
        return pd.DataFrame(values, names, names)

    edges = table(weights).stack()
    edges = (
        edges[edges != 0].reset_index().set_axis(["parent", "child", "weight"], axis=1)
    )
    pairs = [
        (a, b, weights[i, j], probability[i][j], verdict[i][j])
        for i, a in enumerate(names)
        for j, b in enumerate(names)
        if i != j
    ]
    columns = ["parent", "child", "weight", "probability", "verdict"]
    return Bunch(
        weights=table(weights),
        probability=table(probability),
        verdict=table(verdict),
        edges=edges,
        pairs=pd.DataFrame(pairs, columns=columns),
        cautions=[],
    )


def test_children_come_after_their_parents():
    found = layered(graph([[0, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]))
    assert list(found["layer"][:3]) == [0, 1, 2]
    assert np.isnan(found["layer"].iloc[3])


def test_the_weakest_edge_of_a_cycle_points_backwards():
    found = layered(graph([[0, 0.1], [0.9, 0]]))
    assert list(found["layer"]) == [1, 0]


def test_arrows_are_edges_and_the_likeliest_undecided_pairs():
    weights = np.zeros((4, 4))
    weights[0, 1], weights[2, 1] = 0.5, -0.25
    verdict = np.full((4, 4), "undecided", dtype=object)
    verdict[weights != 0] = "edge"
    probability = np.full((4, 4), 0.3)
    probability[2, 0] = 0.1
    drawn = drawn_pairs(graph(weights, verdict, probability))
    assert list(drawn["verdict"][:2]) == ["edge", "edge"]
    assert "channel 3" not in {*drawn["parent"], *drawn["child"]}
    assert ("channel 2", "channel 0") not in set(
        zip(drawn["parent"], drawn["child"], strict=True)
    )
    display = plotting.ChannelGraphDisplay(
        graph=graph(weights, verdict, probability)
    ).plot()
    widths = [arrow.get_linewidth() for arrow in display.arrows_]
    assert widths[0] > widths[1]
    signs = [t.get_text() for t in display.ax_.texts]
    assert "+0.50" in signs
    assert "-0.25" in signs
    assert "channel 3" in display.note_.get_text()


def test_a_graph_without_edges_says_so():
    display = plotting.ChannelGraphDisplay(graph=graph(np.zeros((3, 3)))).plot()
    assert "No channel was found to drive another" in display.note_.get_text()
    assert display.arrows_ == []


def test_heatmap_frames_edges_and_hatches_doubt():
    weights = np.zeros((3, 3))
    weights[0, 1] = 0.5
    verdict = [["", "edge", "undecided"], ["no edge", "", "no edge"], ["no edge"] * 3]
    found = graph(weights, np.array(verdict, dtype=object))
    display = plotting.ChannelGraphHeatmapDisplay(graph=found, values="weight").plot()
    assert len(display.frames_) == len(display.hatches_) == 1
    assert display.image_.get_clim() == (-0.5, 0.5)
    with pytest.raises(ValueError, match="values='size' must be one of"):
        plotting.ChannelGraphHeatmapDisplay(graph=found, values="size").plot()
