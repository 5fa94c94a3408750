"""Which channel drives which."""

from skmmm.graph._estimate import RULE_OUT
from skmmm.report._html import card, chart, escape, table
from skmmm.report._words import percent, why_open


def graph(content):
    """Return the tab of which channel drives which, empty without a channel graph."""
    if content.graph is None:
        return ""
    found = content.graph
    drawing = card(
        "Which channel drives which",
        '<div id="graph-drawing" class="scroll"></div>',
        "From spend alone: how one budget moves another. Wide: strong; dark: sure; "
        "dashed: undecided. A candidate to test, not a proof.",
    )
    pairs = chart(
        "chart-graph",
        "Probability of every pair",
        "Rows drive columns. Share of resampled data in which the edge is found.",
    )
    cards = [drawing, _edges(found), pairs, _undecided(found), _no_edge(found)]
    if found.cautions:
        items = "".join(f"<li>{escape(caution)}</li>" for caution in found.cautions)
        cards.append(card("Cautions", f"<ul>{items}</ul>"))
    return "\n".join(part for part in cards if part)


def _edges(graph):
    """Return the table of edges, empty without any."""
    edges = [
        [
            edge.parent,
            edge.child,
            f"{edge.weight:+.2f}",
            f"{edge.same_period:+.2f}",
            percent(edge.probability),
        ]
        for edge in graph.edges.itertuples()
    ]
    if not edges:
        return ""
    head = ["Drives", "Is driven", "Weight", "of it, same period", "Probability"]
    note = (
        "Weight: change of the second, in its standard deviations, per standard "
        "deviation of the first."
    )
    return card("Edges", table(head, edges, kinds=(1,)), note)


def _undecided(graph):
    """Return the table of pairs that data leave open, empty without any."""
    undecided = graph.pairs[graph.pairs["verdict"] == "undecided"]
    order = undecided["probability"].sort_values(ascending=False, kind="stable").index
    open_pairs = [
        [
            pair.parent,
            pair.child,
            percent(pair.probability),
            why_open(graph, pair.parent, pair.child),
        ]
        for pair in undecided.loc[order].itertuples()
    ]
    if not open_pairs:
        return ""
    head = ["Drives?", "Is driven?", "Found in", "Why it is open"]
    note = (
        "Found in: share of resampled data. More regions, or spend that moves on "
        "its own, would decide them."
    )
    heading = f"Undecided: {_pairs(len(open_pairs))}"
    return card(heading, table(head, open_pairs, kinds=(1, 3)), note)


def _no_edge(graph):
    """Return how many pairs have no edge, empty without any."""
    n_none = int((graph.pairs["verdict"] == "no edge").sum())
    if not n_none:
        return ""
    text = (
        f"<p>Found in at most {RULE_OUT:.0%} of resampled data, in both directions "
        "(or in the other direction as an edge), with rows enough to see an effect "
        "that counts; or excluded when the model was fitted.</p>"
    )
    return card(f"No edge: {_pairs(n_none)}", text)


def _pairs(count):
    return f"{count} {'pair' if count == 1 else 'pairs'}"
