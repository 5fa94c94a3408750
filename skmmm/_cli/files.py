"""Tables and pictures in a folder."""

import re

import pandas as pd

from skmmm._cli.paths import MODEL, PICTURES, SETTINGS, TABLES
from skmmm._cli.settings import settings_text
from skmmm._cli.texts import LEVEL
from skmmm._storage.files import replacing
from skmmm.plotting import (
    ChannelGraphDisplay,
    ContributionsDisplay,
    ExperimentsDisplay,
    FitDisplay,
    ResponseCurvesDisplay,
    ReturnsDisplay,
    VerdictsDisplay,
    WaterfallDisplay,
)


def write_tables(task, model, summary, skill, out):
    """Write tables and model, and return the names of the files."""
    model.save(out / MODEL)
    write_csv(summary.reset_index(), out / "channels.csv", digits=8)
    write_csv(by_row(task, model), out / "contributions.csv", digits=8)
    files = ["channels.csv", "contributions.csv", MODEL]
    if skill is not None:
        write_csv(skill, out / "skill.csv", digits=6)
        files.append("skill.csv")
    if len(task.media) > 1:
        pairs = model.channel_graph().pairs
        write_csv(pairs, out / "channel_graph.csv", digits=6)
        files.append("channel_graph.csv")
    if model.experiments_ is not None:
        write_csv(model.experiments_, out / "experiments.csv", digits=8)
        files.append("experiments.csv")
    if task.frequency:
        table = model.optimal_frequency(confidence_level=LEVEL)
        write_csv(table.reset_index(), out / "optimal_frequency.csv", digits=6)
        files.append("optimal_frequency.csv")
    if task.brand:
        table = model.brand_effects(confidence_level=LEVEL)
        write_csv(table.reset_index(), out / "brand_effects.csv", digits=8)
        files.append("brand_effects.csv")
    if task.pairs:
        table = model.synergy_summary(confidence_level=LEVEL)
        write_csv(table.reset_index(), out / "synergies.csv", digits=8)
        files.append("synergies.csv")
    return files


def write_settings(args, out):
    """Write with what a command was called, and return the name of the file."""
    path = out / SETTINGS
    with replacing(path) as temporary:
        temporary.write_text(settings_text(args, path), encoding="utf-8")
    return SETTINGS


def by_row(task, model):
    """Return keys, KPI and prediction of every row, and the parts of the prediction."""
    keys = [name for name in (task.region, task.time) if name is not None]
    rows, parts = task.X[keys].join(task.y), model.contributions()
    theirs = {*task.X, task.y.name}
    predicted, baseline = (own_name(name, theirs) for name in ("predicted", "baseline"))
    rows[predicted] = model.predict(task.X)
    return pd.concat([rows, parts.rename(columns={"baseline": baseline})], axis=1)


def own_name(name, theirs):
    """Return a name of ours that no column of the user has."""
    while name in theirs:
        name = f"{name} (model)"
    return name


def write_csv(table, path, *, digits):
    """Write a table that spreadsheets do not run.

    Names and texts that begin with = + - @, a tab or a line break get a ' in front,
    unless they are numbers.

    Parameters
    ----------
    table : DataFrame
        Its index is not written.
    path : str or path-like
        Replaced as a whole.
    digits : int
        Of numbers that are not whole.
    """
    table = table.apply(lambda column: column.map(_harmless))
    table.columns = [_harmless(name) for name in table.columns]
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, float_format=f"%.{digits}g")


def _harmless(value):
    if not isinstance(value, str) or not re.match(r"[=+\-@\t\r\n]", value):
        return value
    number = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", value)
    return value if number else f"'{value}"


def remove_others(out, files):
    """Remove tables and pictures of an earlier fit that this one has not written.

    Returns
    -------
    removed : list of str
    """
    others = [out / name for name in (*TABLES, *PICTURES) if name not in files]
    removed = [path for path in others if path.is_file()]
    for path in removed:
        path.unlink()
    return [path.name for path in removed]


def write_pictures(task, model, summary, held_out, out):
    """Draw, and return the names of the files."""
    kpi = str(task.y.name)
    displays = {
        "fit.png": _draw_fit(task, model, held_out),
        "contributions.png": ContributionsDisplay.from_estimator(
            model, ax=_blank(), kpi_name=kpi
        ),
        "response_curves.png": ResponseCurvesDisplay.from_estimator(
            model, ax=_blank(), kpi_name=kpi, confidence_level=LEVEL
        ),
        "returns.png": ReturnsDisplay.from_estimator(
            model, ax=_blank(), kpi_name=kpi, confidence_level=LEVEL
        ),
        "verdicts.png": VerdictsDisplay(summary=summary, confidence_level=LEVEL),
        "waterfall.png": WaterfallDisplay.from_estimator(
            model, ax=_blank(), kpi_name=kpi
        ),
    }
    if len(task.media) > 1:
        displays["channel_graph.png"] = ChannelGraphDisplay(graph=model.channel_graph())
    if model.experiments_ is not None:
        displays["experiments.png"] = ExperimentsDisplay(experiments=model.experiments_)
    for name, display in displays.items():
        display.save(out / name)
    return list(displays)


def _draw_fit(task, model, held_out):
    """Draw the last block as a forecast, if there was one."""
    if held_out is None:
        return FitDisplay.from_estimator(
            model, task.X, task.y, ax=_blank(), confidence_level=LEVEL
        )
    fitted, train, test = held_out
    return FitDisplay.from_estimator(
        fitted,
        task.X.iloc[train],
        task.y.iloc[train],
        X_test=task.X.iloc[test],
        y_test=task.y.iloc[test],
        ax=_blank(),
        confidence_level=LEVEL,
    )


def _blank():
    """Return axes that no window knows of."""
    from matplotlib.figure import Figure

    return Figure().add_subplot()
