"""Which channel drives which."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from skmmm._unwrapping import bare
from skmmm.graph._channel_graph import ChannelGraph
from skmmm.plotting._style import (
    INK,
    OTHERS,
    SMALL,
    TINY,
    WIDTH,
    AxesOrNone,
    Display,
    add_title,
    display,
    draw_colorbar,
    plain_text,
    shorten,
    width_of,
    wrap,
)

_MOST_DASHED = 6  # undecided pairs; more would be unreadable


def layered(graph):
    """Place the channels of a graph so that arrows point to the right.

    Channels are taken in an order in which no retained edge, or only the weakest,
    points backwards; each comes one layer after the last of its parents. Returns a
    DataFrame indexed by channel: ``layer``, from 0, and ``row`` within it, around 0;
    NaN for channels without an edge.
    """
    weight = graph.weights.abs().to_numpy()
    left = [m for m in range(len(weight)) if weight[m].any() or weight[:, m].any()]
    layer: dict[int, int] = {}
    while left:
        among = weight[np.ix_(left, left)]
        # Of those that are left the one that is driven least, then drives most.
        driven, drives = among.sum(axis=0), among.sum(axis=1)
        first = left[np.lexsort((-drives, driven))[0]]
        parents = [layer[p] + 1 for p in layer if weight[p, first] > 0]
        layer[first] = max(parents, default=0)
        left.remove(first)
    places = pd.DataFrame(
        {"layer": pd.Series(layer, dtype=float), "row": np.nan},
        index=range(len(weight)),
    )
    for _, members in places.groupby("layer"):
        middle = (len(members) - 1) / 2
        # Every other layer is shifted, so that arrows past it do not run through it.
        shift = 0.25 * (members["layer"].iloc[0] % 2)
        places.loc[members.index, "row"] = middle - np.arange(len(members)) - shift
    return places.set_axis(graph.weights.index)


def drawn_pairs(graph):
    """Return the rows of `graph.pairs` that are drawn.

    All retained edges; of the undecided pairs between channels that have edges the six
    most probable, if their probability is at least .2.
    """
    pairs = graph.pairs
    edges = pairs[pairs["verdict"] == "edge"]
    linked = {*edges["parent"], *edges["child"]}
    likely = (pairs["verdict"] == "undecided") & (pairs["probability"] >= 0.2)
    among = pairs["parent"].isin(linked) & pairs["child"].isin(linked)
    undecided = pairs[likely & among].nlargest(_MOST_DASHED, "probability")
    return pd.concat([edges, undecided])


@display
class ChannelGraphDisplay(Display):
    """Channels in layers, with an arrow from each to those that it drives.

    Parameters
    ----------
    graph : ChannelGraph
        As returned by ``channel_graph``.

    Attributes
    ----------
    nodes_ : dict of str to Text
        Channels with an edge.
    arrows_ : list of FancyArrowPatch
        Retained edges: wider for a larger weight, darker for a higher probability.
    undecided_ : list of FancyArrowPatch
        Dashed: the most probable of the undecided pairs.
    note_ : Text
        Channels without an edge, and how much is undecided.

    See Also
    --------
    ChannelGraphHeatmapDisplay : All pairs.

    Examples
    --------
    >>> from skmmm import DeepCausalMMMRegressor
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.plotting import ChannelGraphDisplay
    >>> world = make_mmm_panel(3, 60, n_media=3, random_state=0)
    >>> model = DeepCausalMMMRegressor(
    ...     media=world.media, region="region", time="week", n_draws=0, max_iter=10,
    ...     random_state=0,
    ... ).fit(world.X, world.y)
    >>> display = ChannelGraphDisplay.from_estimator(model)
    >>> len(display.arrows_) == len(display.graph.edges)
    True
    """

    graph: ChannelGraph

    @classmethod
    def from_estimator(cls, estimator: BaseEstimator, *, ax: AxesOrNone = None) -> Self:
        """Plot the channel graph.

        Parameters
        ----------
        estimator : DeepCausalMMMRegressor, StructuralVAR or NOTEARS
            Fitted, with a graph.
        """
        return cls(graph=bare(estimator).channel_graph()).plot(ax=ax)

    def _figure_size(self):
        places = layered(self.graph)
        n_unconnected = int(places["row"].isna().sum())
        notes = 0.5 + 0.17 * -(-n_unconnected // 3)
        if n_unconnected == len(places):
            return (WIDTH, 0.4 + notes)
        return (WIDTH, 1.0 + 0.8 * (2 * places["row"].abs().max() + 1) + notes)

    def _draw(self, ax):
        ax.set_axis_off()
        places = layered(self.graph).dropna()
        n_layers = int(places["layer"].max()) + 1 if len(places) else 1
        # So many letters leave room for arrows between the layers.
        width = max(8, int((11.0 * width_of(ax) - 6.0 * (n_layers - 1)) / n_layers))
        width = min(width, 22)
        self.nodes_ = {}
        self.arrows_: list = []
        self.undecided_: list = []
        for place, name in zip(
            places.itertuples(), shorten(list(places.index), 3 * width - 6), strict=True
        ):
            self.nodes_[place.Index] = ax.text(
                place.layer,
                place.row,
                plain_text(wrap(name, width, n_lines=3)),
                ha="center",
                va="center",
                fontsize=SMALL if width_of(ax) > 4.0 else TINY,
                bbox={"boxstyle": "round,pad=0.4", "fc": "white", "ec": INK, "lw": 0.8},
                zorder=3,
            )
        reach = 0.62 if n_layers > 1 else 1.2
        ax.set_xlim(-reach, n_layers - 1 + reach)
        rows = places["row"].abs().max() if len(places) else 0.0
        ax.set_ylim(-rows - 0.7, rows + 0.7)
        for pair in drawn_pairs(self.graph).itertuples():
            self._draw_arrow(ax, places, pair)
        self._draw_note(ax, places)
        if self.arrows_:
            self._draw_colors(ax)
        add_title(ax, "Which channel drives which")

    def _draw_arrow(self, ax, places, pair):
        from matplotlib.patches import FancyArrowPatch

        decided = pair.verdict == "edge"
        most = self.graph.weights.abs().to_numpy().max()
        start, end = (
            places.loc[c, ["layer", "row"]] for c in (pair.parent, pair.child)
        )
        step = end["layer"] - start["layer"]
        # Arrows that skip a layer, or go back, pass above what is between.
        bend = 0.0 if step == 1 else -0.3 * np.sign(step or 1)
        arrow = FancyArrowPatch(
            tuple(start),
            tuple(end),
            patchA=self.nodes_[pair.parent].get_bbox_patch(),
            patchB=self.nodes_[pair.child].get_bbox_patch(),
            connectionstyle=f"arc3,rad={bend}",
            arrowstyle="-|>",
            mutation_scale=11,
            shrinkA=3,
            shrinkB=3,
            linewidth=0.8 + 3.2 * abs(pair.weight) / most if decided else 0.8,
            linestyle="-" if decided else (0, (4, 3)),
            color=_shade(pair.probability) if decided else OTHERS,
            zorder=2,
        )
        ax.add_patch(arrow)
        (self.arrows_ if decided else self.undecided_).append(arrow)
        if decided:
            middle, beside = self._beside(ax, start.to_numpy(), end.to_numpy(), bend)
            ax.annotate(
                f"{pair.weight:+.2f}",
                middle,
                xytext=beside,
                textcoords="offset points",
                fontsize=TINY,
                ha="center",
                va="center",
                zorder=2.5,
            )

    def _beside(self, ax, start, end, bend):
        """Return the middle of an arrow, and the way from there to its label.

        The arrow is bent on the screen, not in data; its label stands on the outer
        side, so that it does not break the line.
        """
        scale = np.abs(np.diff(ax.transData.transform([(0, 0), (1, 1)]), axis=0)[0])
        across, up = (end - start) * scale
        middle = (start + end) / 2 + 0.5 * bend * np.array([up, -across]) / scale
        normal = np.array([-up, across]) / max(np.hypot(across, up), 1e-9)
        if bend > 0 or (bend == 0 and normal[1] < 0):
            normal = -normal
        half = np.array([1.6 * TINY, 0.5 * TINY])  # of the label, points
        return middle, normal * (3.0 + np.abs(normal) @ half)

    def _draw_note(self, ax, places):
        """Name the channels without an edge, and count what is undecided."""
        graph = self.graph
        unconnected = [c for c in graph.weights.index if c not in places.index]
        n_undecided = int((graph.pairs["verdict"] == "undecided").sum())
        lines = []
        if not len(places) and n_undecided < len(graph.pairs):
            lines.append("No channel was found to drive another.")
        if n_undecided:
            shown = f" ({len(self.undecided_)} dashed)" if self.undecided_ else ""
            lines.append(f"{n_undecided} of {len(graph.pairs)} pairs undecided{shown}.")
        if unconnected:
            lines.append("Without an edge:")
            short = [plain_text(name) for name in shorten(unconnected, 30)]
            lines += [", ".join(short[i : i + 3]) for i in range(0, len(short), 3)]
        self.note_ = ax.annotate(
            "\n".join(lines),
            (0.0, 0.0 if len(places) else 1.0),
            xycoords="axes fraction",
            xytext=(0, -2),
            textcoords="offset points",
            ha="left",
            va="top",
            fontsize=TINY,
            color="#555555",
            annotation_clip=False,
        )

    def _draw_colors(self, ax):
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import ListedColormap

        shades = ListedColormap([_shade(p) for p in np.linspace(0.0, 1.0, 64)])
        mappable = ScalarMappable(cmap=shades)
        mappable.set_clim(0.0, 1.0)
        label = "probability; width and number: weight"
        place = {"location": "bottom", "anchor": (0, 1), "pad": 0.02}
        draw_colorbar(ax, mappable, label, shrink=0.35, aspect=28, **place)


def _shade(probability):
    """Return a colour from pale to dark blue, which all eyes see as a scale."""
    pale, dark = np.array([0.72, 0.82, 0.90]), np.array([0.0, 0.20, 0.42])
    return tuple(pale + (dark - pale) * float(np.clip(probability, 0.0, 1.0)))


@display
class ChannelGraphHeatmapDisplay(Display):
    """Weight or probability of every pair of channels.

    Parameters
    ----------
    graph : ChannelGraph
        As returned by ``channel_graph``.
    values : {"probability", "weight"}, default="probability"
        What is shown. Weights are zero where no edge is retained.

    Attributes
    ----------
    image_ : AxesImage
    frames_ : list of Rectangle
        Around retained edges.
    hatches_ : list of Rectangle
        Over undecided pairs.
    texts_ : list of Text

    See Also
    --------
    ChannelGraphDisplay : The edges as arrows.

    Examples
    --------
    >>> from skmmm import DeepCausalMMMRegressor
    >>> from skmmm.datasets import make_mmm_panel
    >>> from skmmm.plotting import ChannelGraphHeatmapDisplay
    >>> world = make_mmm_panel(3, 60, n_media=3, random_state=0)
    >>> model = DeepCausalMMMRegressor(
    ...     media=world.media, region="region", time="week", n_draws=0, max_iter=10,
    ...     random_state=0,
    ... ).fit(world.X, world.y)
    >>> display = ChannelGraphHeatmapDisplay.from_estimator(model)
    >>> display.image_.get_array().shape
    (3, 3)
    """

    graph: ChannelGraph
    values: Literal["probability", "weight"] = "probability"

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        *,
        values: Literal["probability", "weight"] = "probability",
        ax: AxesOrNone = None,
    ) -> Self:
        """Plot the channel graph.

        Parameters
        ----------
        estimator : DeepCausalMMMRegressor, StructuralVAR or NOTEARS
            Fitted, with a graph.
        """
        return cls(graph=bare(estimator).channel_graph(), values=values).plot(ax=ax)

    def _figure_size(self):
        return (WIDTH, 1.9 + 0.27 * max(len(self.graph.weights), 4))

    def _draw(self, ax):
        kinds = {"probability": ("Blues", 0.0, 1.0), "weight": ("PuOr_r", None, None)}
        if self.values not in kinds:
            raise ValueError(f"values={self.values!r} must be one of {list(kinds)}.")
        colors, low, high = kinds[self.values]
        table = self.graph.probability
        if self.values == "weight":
            table = self.graph.weights
            high = max(table.abs().to_numpy().max(), 0.1)
            low = -high
        shown = table.to_numpy(dtype=float).copy()
        np.fill_diagonal(shown, np.nan)
        self.image_ = ax.imshow(shown, cmap=colors, vmin=low, vmax=high, aspect="auto")
        self._draw_cells(ax, shown, high)
        size = len(table)
        names = [plain_text(name) for name in shorten(list(table.index), 24)]
        ax.set_xticks(np.arange(size), names, rotation=40, ha="right")
        ax.xaxis.set_tick_params(rotation_mode="anchor")
        ax.set_yticks(np.arange(size), names)
        ax.tick_params(labelsize=TINY if size > 8 else SMALL, length=0)
        ax.set_xlabel("is driven", fontsize=SMALL)
        ax.set_ylabel("drives", fontsize=SMALL)
        ax.spines[:].set_visible(False)
        draw_colorbar(ax, self.image_, self.values, shrink=0.8, aspect=24, pad=0.02)
        title = f"{self.values.capitalize()} of every pair of channels"
        add_title(ax, title, note="framed: edge, hatched: undecided")

    def _draw_cells(self, ax, shown, high):
        from matplotlib.patches import Rectangle

        self.frames_, self.hatches_, self.texts_ = [], [], []
        verdict = self.graph.verdict.to_numpy()
        small = TINY if len(shown) <= 8 else 6.0
        for (i, j), value in np.ndenumerate(shown):
            if i == j:
                continue
            corner = (j - 0.5, i - 0.5)
            if verdict[i, j] == "undecided":
                hatch = Rectangle(
                    corner, 1, 1, fill=False, hatch="////", lw=0, edgecolor="#B0B0B0"
                )
                self.hatches_.append(ax.add_patch(hatch))
            elif verdict[i, j] == "edge":
                frame = Rectangle(corner, 1, 1, fill=False, lw=1.4, edgecolor=INK)
                self.frames_.append(ax.add_patch(frame))
            if len(shown) <= 20 and (verdict[i, j] == "edge" or value >= 0.05):
                color = "white" if abs(value) > 0.6 * high else INK
                text = f"{value:.2f}".replace("0.", ".")
                self.texts_.append(
                    ax.text(
                        j,
                        i,
                        text,
                        ha="center",
                        va="center",
                        fontsize=small,
                        color=color,
                    )
                )
