"""How well the model fits and forecasts."""

from skmmm.report._cells import percents, ratio
from skmmm.report._html import card, chart, escape, pair, scope, table


def fit(content):
    """Return the tab of what is predicted, and how far off that is."""
    about = scope(content)
    parts = [
        chart(
            "chart-fit",
            f"{escape(content.kpi)}, observed and predicted",
            f"With {content.level:.0%} interval for one region. That of a sum is not "
            "shown: regions move together."
            if about
            else f"With {content.level:.0%} interval.",
            about,
        ),
        pair(
            chart(
                "chart-scatter",
                "Observed against predicted",
                "A point per region and period." if about else "",
                about,
            ),
            _scores(content, about),
        ),
        chart(
            "chart-baseline",
            f"What moves {escape(content.kpi)} without media",
            "Differences from a constant.",
            about,
        ),
        _forecasts(content),
    ]
    return "\n".join(parts)


def _scores(content, about):
    """Return the errors in rows that were seen and held out."""
    rows = [
        [name, f"{row.wmape:.1%}", ratio(row.r2_within), *percents([row.coverage])]
        for name, row in content.scores.iterrows()
    ]
    within = "R² within regions" if content.regional else "R²"
    scores = table(
        ["Rows", "wMAPE", within, f"inside {content.level:.0%} intervals"],
        rows,
        name="scores-table",
    )
    note = (
        "wMAPE is the absolute error as a share of the KPI. The level of the model "
        "follows the KPI, so that a close fit to seen rows is no achievement; neither "
        "that nor a good forecast shows that effects are right."
    )
    return card("Errors", scores, note, about)


def _forecasts(content):
    """Return the comparison with naive forecasts."""
    everywhere = scope(content, "all")
    if content.skill is None:
        return card(
            "Forecasts",
            "<p>They were not compared with naive ones for this report. Pass the "
            "result of <code>skmmm.metrics.rolling_skill</code> as "
            "<code>skill</code>, or use <code>skmmm report</code>, which does.</p>",
            scope=everywhere,
        )
    return pair(
        chart(
            "chart-skill",
            "Skill of forecasts from earlier origins",
            "Share of the naive forecast's error that is avoided; below zero "
            "is worse than naive.",
            everywhere,
        ),
        card(
            "Errors of these forecasts",
            _skill_table(content.skill),
            scope=everywhere,
        ),
    )


def _skill_table(skill):
    mean = skill.groupby("estimator", sort=False)[["wmape", "skill"]].mean()
    rows = [
        [name, f"{row.wmape:.1%}", f"{row.skill:+.2f}"] for name, row in mean.iterrows()
    ]
    return table(["Forecast", "wMAPE", "Skill"], rows)
