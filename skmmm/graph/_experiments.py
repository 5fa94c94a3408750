"""Experiments on one channel whose effect on the spend of another was measured."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, logit, logsumexp
from scipy.stats import norm

from skmmm._data.calendar import Calendar
from skmmm._data.changes import other_spend
from skmmm._data.checks import plain_label
from skmmm._data.experiments import CONFLICT, experiment_frame, read_experiments
from skmmm.graph._equations import SpendEquations

_CLEAR = 2.0  # standard errors from which a measurement is none of nothing
_LEVEL = 0.9  # of intervals


@dataclass(frozen=True, eq=False)
class ObservedSpend:
    """Spend of the rows that a graph was fitted to, and how it answers.

    Attributes
    ----------
    media : ndarray of shape (n_regions, n_periods, n_media)
        In the units of X.
    equations : SpendEquations
        With one draw per resampled panel.
    channels : list
        Labels of the channels, in the order of `media`.
    regions : ndarray of shape (n_regions,)
    calendar : Calendar or None
    """

    media: np.ndarray
    equations: SpendEquations
    channels: list
    regions: np.ndarray
    calendar: Calendar | None


def check_edges(graph, spend, experiments):
    """Return the table of `ChannelGraph.check`.

    Parameters
    ----------
    graph : ChannelGraph
    spend : ObservedSpend
    experiments : DataFrame or path of a CSV file
    """
    rows, children = _read(spend, experiments)
    found = [
        _checked(graph, spend, one, child)
        for one, child in zip(rows, children, strict=True)
    ]
    return pd.DataFrame(found)


def _read(spend, experiments):
    """Return experiments and positions of the channels whose spend was measured."""
    read = {
        "media": spend.channels,
        "regions": spend.regions,
        "calendar": spend.calendar,
        "grid_length": spend.media.shape[1],
    }
    table = experiment_frame(experiments)
    if "child" not in table:
        raise ValueError(
            "experiments has no column 'child', the channel whose spend was measured. "
            "Add it."
        )
    rows = read_experiments(table.drop(columns="child"), **read)
    children = []
    for one, child in zip(rows, table["child"], strict=True):
        if one.measure != "outcome" or np.isfinite(one.spend):
            raise ValueError(
                f"{one.name}: an edge is checked by the spend of the child, in total, "
                "within the rows of X. Leave the columns measure and spend empty."
            )
        if len(one.channels) > 1:
            raise ValueError(
                f"{one.name} changed {len(one.channels)} channels, so that it tells "
                "nothing of one edge. Leave it out."
            )
        known = [plain_label(channel) for channel in spend.channels]
        place = known.index(child) if child in known else -1
        if place < 0 or place == one.channels[0]:
            raise ValueError(
                f"{one.name} has {plain_label(child)!r} as its child, which is no "
                f"other one of the media columns {known}."
            )
        children.append(place)
    return rows, children


def _checked(graph, spend, one, child):
    """Return one row of the table."""
    [channel] = one.channels
    parent, name = spend.channels[channel], spend.channels[child]
    answers = _predicted(spend, one, child)
    error = float(np.hypot(one.std_error, one.bias_sd))
    low, high = np.quantile(answers, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    z = (one.estimate - answers.mean()) / np.hypot(error, answers.std())
    before, after = _probabilities(answers, one.estimate, error)
    shown = spend.media[one.regions, one.start : one.stop + one.cooldown, child].sum()
    verdict = graph.verdict.loc[parent, name]
    return {
        "parent": parent,
        "child": name,
        "start": spend.calendar.value(one.start),
        "end": spend.calendar.value(one.stop - 1),
        "n_regions": len(one.regions),
        "estimate": one.estimate,
        "std_error": error,
        "predicted": answers.mean(),
        "predicted_low": low,
        "predicted_high": high,
        "z": z,
        "verdict": verdict,
        "probability": before,
        "probability_after": after,
        "conflict": bool(abs(z) > CONFLICT),
        "finding": _finding(
            parent, name, verdict, one.estimate / error, z, answers, error > shown / 4
        ),
    }


def _predicted(spend, one, child):
    """Return the change of the child's spend by draw, (E,), in the units of X."""
    [channel] = one.channels
    media = spend.media[one.regions]  # (R', T, M)
    window, counted = (
        slice(one.start, stop) for stop in (one.stop, one.stop + one.cooldown)
    )
    changed = media[..., channel].copy()
    seen = changed[:, None, window]  # (R', 1, n_periods)
    changed[:, window] = other_spend(one, seen, np.ones((len(media), 1)))[:, 0]
    equations = spend.equations.in_regions(one.regions)
    answer = equations.react(media, changed, channel)[..., child]
    moved = answer[:, :, counted] - media[:, counted, child]
    return (-1.0 if one.treated else 1.0) * moved.sum(axis=(1, 2))


def _probabilities(answers, estimate, error):
    """Return the probabilities that the child answers, before and after the test.

    By Bayes' rule; an answer is as large as in those draws that have one. Of which size
    it would be where none has is not known: the second is nan then.
    """
    found = answers[answers != 0.0]
    before = (len(found) + 0.5) / (len(answers) + 1.0)
    if not len(found):
        return before, np.nan
    likelihood = logsumexp(norm.logpdf(estimate, found, error)) - np.log(len(found))
    ratio = likelihood - norm.logpdf(estimate, 0.0, error)
    return before, float(expit(logit(before) + ratio))


def _finding(parent, child, verdict, size, z, answers, coarse):
    """Say in one sentence what the test says of the edge.

    `size` is the measurement in standard errors; `coarse`: whether these are more than
    a quarter of the child's spend.
    """
    test, no_path = f"The test on {parent}", not answers.any()
    said = f"the graph has no path to it (verdict: {verdict})"
    if abs(z) > CONFLICT and no_path:
        return (
            f"{test} finds that {child} answers, {said}: name the pair in "
            "required_edges if the test is sound."
        )
    if abs(z) > CONFLICT and abs(size) <= _CLEAR:
        return (
            f"{test} finds that {child} does not answer, the graph says it does: "
            "name the pair in forbidden_edges if the test is sound."
        )
    if abs(z) > CONFLICT:
        how = "the other way round"
        if size * answers.mean() > 0:
            how = "more" if z * answers.mean() > 0 else "less"
        return f"{test} finds that {child} answers {how} than the graph says."
    if coarse or (abs(size) <= _CLEAR and not no_path):
        return (
            f"{test} is too imprecise to tell whether {child} answers (verdict of the "
            f"graph: {verdict})."
        )
    if no_path:
        return f"{test} finds no clear answer of {child}, and {said}."
    about = "about as strongly as" if abs(z) < 1.0 else "not clearly otherwise than"
    return f"{test} confirms that {child} answers, {about} the graph says."
