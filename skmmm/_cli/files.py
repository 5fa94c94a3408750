"""Tables and pictures in a folder."""

import pandas as pd

from skmmm._cli.texts import LEVEL
from skmmm.plotting import (
    ChannelGraphDisplay,
    ContributionsDisplay,
    FitDisplay,
    ResponseCurvesDisplay,
    ReturnsDisplay,
    VerdictsDisplay,
    WaterfallDisplay,
)


def write_tables(task, model, summary, skill, out):
    """Write tables and model, and return the names of the files."""
    summary.to_csv(out / "channels.csv", float_format="%.8g")
    keys = [name for name in (task.region, task.time) if name is not None]
    rows = task.X[keys].join(task.y)
    rows["predicted"] = model.predict(task.X)
    rows = pd.concat([rows, model.contributions()], axis=1)
    rows.to_csv(out / "contributions.csv", index=False, float_format="%.8g")
    model.save(out / "model.skmmm")
    files = ["channels.csv", "contributions.csv", "model.skmmm"]
    if skill is not None:
        skill.to_csv(out / "skill.csv", index=False, float_format="%.6g")
        files.append("skill.csv")
    if len(task.media) > 1:
        pairs = model.channel_graph().pairs
        pairs.to_csv(out / "channel_graph.csv", index=False, float_format="%.6g")
        files.append("channel_graph.csv")
    return files


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
