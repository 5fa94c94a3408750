"""The report: self-contained, escaped, and in agreement with the model."""

import copy
import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import Bunch

from pages import read
from skmmm import DeepCausalMMMRegressor
from skmmm.baselines import LastValueRegressor
from skmmm.metrics import rolling_skill
from skmmm.model_selection import PanelTimeSeriesSplit
from small_models import fitted_shortly

pytest.importorskip("plotly", reason="the report needs plotly")

from skmmm.allocation._words import MOVED
from skmmm.inspection._placement import ADVICE, REACTS, SWITCH
from skmmm.report import make_report
from skmmm.report._content import read_content
from skmmm.report._page import make_page
from skmmm.report._phrases import interval, number, percent, quote
from skmmm.report._tables import payback, verdicts
from skmmm.report._words import cut_off, summary_sentences

pytestmark = [
    pytest.mark.usefixtures("short_chains"),
    pytest.mark.filterwarnings("ignore:The spend of"),
]

HOSTILE = [
    '<img src=x onerror="window.hacked=1">',
    "</script><script>window.hacked=1</script>",
    "'\"&amp; 🎯 $x_1$ " + "very " * 40 + "long\u2028name \\",
]


@pytest.fixture(scope="module")
def world(panel):
    """Model, rows and KPI with names that are up to no good."""
    names = dict(zip(panel.media, HOSTILE, strict=True))
    X = panel.X.rename(columns=names)
    regions = {name: f"<b>{name}</b> & Söhne" for name in X["region"].unique()}
    X["region"] = X["region"].map(regions)
    model = DeepCausalMMMRegressor(
        media=HOSTILE,
        controls=panel.controls,
        region="region",
        time="week",
        media_cost=1.0,
        max_lag=5,
        n_draws=8,
        max_iter=60,
        random_state=0,
    )
    y = panel.y.rename("<!-- sales")
    return model.fit(X, y), X, y


@pytest.fixture(scope="module")
def page(world, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    assert make_report(*world, path) == path
    return path


@pytest.fixture(scope="module")
def national_page(national, tmp_path_factory):
    return make_report(*national, tmp_path_factory.mktemp("national") / "report.html")


def test_one_file_needs_nothing_else(page):
    reader, _ = read(page)
    assert all(ref.startswith(("#", "data:,")) for ref in reader.references)
    assert page.stat().st_size < 8e6
    assert page.read_text(encoding="utf-8").count("plotly.js v") == 1


def test_names_are_text(page):
    reader, payload = read(page)
    assert len(reader.scripts) == 3
    assert "img" not in reader.tags
    assert "b" not in reader.tags
    assert payload["names"][:2] == HOSTILE[:2]
    assert HOSTILE[0] in reader.text


def test_payload_is_what_the_model_says(world, page):
    model, X, y = world
    _, payload = read(page)
    total = payload["series"][0]
    week = X["week"].to_numpy()
    assert_allclose(total["observed"], y.groupby(week).sum(), rtol=1e-4)
    predicted = pd.Series(model.predict(X)).groupby(week).sum()
    assert_allclose(total["predicted"], predicted, rtol=1e-4)
    made = np.sum(total["parts"] + total["base"], axis=0)
    assert_allclose(made, predicted, rtol=1e-3)
    summary = model.channel_summary()
    for name in ("contribution", "roi_low", "mroi"):
        assert_allclose(payload["summary"][name], summary[name], rtol=1e-4)
    assert len(payload["regions"]) == len(payload["series"]) == 4
    for name, drawn in zip(model.media_, payload["curves"], strict=True):
        curve = model.response_curve(name)
        ends = [curve.observed_from, curve.observed_until]
        assert_allclose([drawn["from"], drawn["until"]], ends, rtol=1e-4)


@pytest.mark.filterwarnings("ignore:max_lag cuts off")
def test_payback_stands_beside_the_carry_over(world, page):
    model, *_ = world
    table = model.payback()
    content = SimpleNamespace(payback=table)
    rows = list(payback(content))
    assert [row[0] for row in rows] == HOSTILE
    for row, (_, own) in zip(rows, table.iterrows(), strict=True):
        assert float(row[1][1]) == pytest.approx(own["t50"], abs=0.006)
        assert row[3][1] == own["verdict"]
        assert row[4] == ("warn" * own["truncated"], f"{own['cut_off']:.1%}")
    reader, _ = read(page)
    assert rows[0][2][2] in reader.text
    assert ("raise max_lag" in " ".join(reader.text)) == table["truncated"].any()
    quiet = SimpleNamespace(payback=table.assign(truncated=False))
    assert cut_off(quiet) == ""


def test_regions_add_up_to_the_total(page):
    _, payload = read(page)
    parts = np.sum([block["parts"] for block in payload["series"][1:]], axis=0)
    assert_allclose(parts, payload["series"][0]["parts"], rtol=1e-3, atol=1e-6)


def test_plans_spend_their_budgets(world, page):
    model, _, _ = world
    _, payload = read(page)
    plan = payload["plan"]
    assert_allclose(np.sum(plan["spend"], axis=1), plan["budget"], rtol=2e-3)
    middle = len(plan["budget"]) // 2
    alone = model.optimize_budget(plan["budget"][middle], horizon=13)
    assert plan["outcome"][middle] == pytest.approx(alone.outcome, rel=1e-3)
    coming = model.channel_summary(model.optimize_budget(horizon=13, fixed=HOSTILE).X)
    assert plan["current"] == pytest.approx(coming["spend"].sum())
    assert_allclose(plan["mrois_now"], coming["mroi"], rtol=1e-4)


def test_summary_says_how_much_media_caused(world, page):
    model, X, _ = world
    reader, _ = read(page)
    share = model.channel_summary()["contribution"].sum() / model.predict(X).sum()
    said = " ".join(reader.text)
    assert f"or {percent(share)}; with 90% probability it is" in said


def test_holdout_and_skill_are_shown(world, tmp_path):
    model, X, y = world
    last = X["week"] >= np.unique(X["week"])[-10]
    held_out = clone(model).set_params(n_draws=0, graph=None).fit(X[~last], y[~last])
    keys = {"region": "region", "time": "week"}
    skill = rolling_skill(
        {"seasonal": LastValueRegressor(**keys), "<b>last": LastValueRegressor(**keys)},
        X,
        y,
        cv=PanelTimeSeriesSplit(2, test_size=8, time="week"),
        naive=LastValueRegressor(**keys),
    )
    path = make_report(
        held_out,
        X[~last],
        y[~last],
        tmp_path / "report.html",
        X_test=X[last],
        y_test=y[last],
        skill=skill.assign(origin=skill["split"].map({0: "May", 1: "June"})),
    )
    reader, payload = read(path)
    assert len(payload["times"]) == payload["nFitted"] + 10 == 60
    assert payload["series"][0]["parts"][0][-1] is None
    assert payload["skill"]["origins"] == ["May", "June"]
    assert payload["skill"]["contenders"] == ["seasonal", "<b>last"]
    assert "b" not in reader.tags
    assert "holdout" in reader.text
    assert payload["graph"] is None


def test_one_series_without_draws(national_page):
    reader, payload = read(national_page)
    said = " ".join(reader.text)
    assert "no interval without draws" in said
    assert "Fit again with n_draws=64" in said
    assert "cost of a unit is not known" in said
    assert payload["series"][0]["low"] is None
    assert payload["ranking"] is None
    assert payload["priced"] is False
    assert len(payload["series"]) == 1


def test_the_plan_is_about_the_coming_quarter(world, page):
    _, X, _ = world
    reader, payload = read(page)
    plan, said = payload["plan"], " ".join(reader.text)
    after = X["week"].max() + pd.Timedelta("7D") * np.arange(1, 14)
    assert plan["times"] == [str(week)[:10] for week in after]
    when = f"the 13 weeks from {plan['times'][0]} to {plan['times'][-1]}"
    assert plan["when"] == when
    assert f"In {when}, " in said or f"For {when} " in said
    assert_allclose(np.nansum(plan["rows"][0], axis=1), plan["today"], rtol=1e-3)
    by_region = np.sum(plan["rows"][1:], axis=0)
    assert_allclose(by_region, plan["rows"][0], rtol=1e-3)


def test_the_gain_is_of_the_predicted_kpi_and_in_its_units(world, page):
    model, _, _ = world
    reader, payload = read(page)
    plan = payload["plan"]
    found = model.optimize_budget(horizon=13)
    frame = model.optimize_budget(horizon=13, fixed=HOSTILE).X
    assert plan["predicted"] == pytest.approx(model.predict(frame).sum())
    gain = found.outcome - found.current_outcome
    said = " ".join(reader.text)
    assert f"would bring {number(gain)} more <!-- sales" in said
    assert f"({interval(found.gain_low, found.gain_high)}), " in said
    assert f"{percent(gain / plan['predicted'])} of the" in said


def test_every_alarm_is_named_with_what_to_do(world):
    model, X, y = copy.copy(world[0]), *world[1:]
    model._alarms = (REACTS, "", SWITCH)
    content = read_content(
        model, X, y, None, None, skill=None, level=0.9, tell=lambda step: None
    )
    alarmed = content.summary.query("alarm != ''")
    assert set(alarmed["alarm"]) == {REACTS, SWITCH}
    (text,) = (t for h, t in summary_sentences(content) if h.startswith("How sure"))
    rows = {name: (cell, advice) for name, cell, (_, advice) in verdicts(content)}
    for name, reason in alarmed["alarm"].items():
        assert ADVICE[reason] in text
        cell, advice = rows[name]
        assert cell[1:] == ("not identified", reason)
        assert advice == f"Its spend {ADVICE[reason]}"
    assert sorted(len(cell) for cell, _ in rows.values()) == [2, 3, 3]
    page = make_page(content, title=None, plotly="")
    shown = json.dumps(list(content.summary["alarm"]), separators=(",", ":"))
    assert f'"alarm":{shown}' in page


def test_money_that_moves_to_what_is_not_identified_is_named(world):
    model, X, y = world
    content = read_content(
        model, X, y, None, None, skill=None, level=0.9, tell=lambda step: None
    )
    plan = content.plan
    allocation = plan.path.plans[plan.nearest].allocation
    allocation["change"] = [0.5, -0.5, 0.0]
    assert plan.unsure(plan.nearest) == []
    lost = plan.summary.assign(verdict="not identified")
    content = replace(content, plan=replace(plan, summary=lost))
    assert content.plan.unsure(plan.nearest) == [HOSTILE[0]]
    assert content.plan.cut(plan.nearest) == [HOSTILE[1]]
    rings = plan.summary.assign(verdict="data-driven", alarm=["", SWITCH, ""])
    assert replace(plan, summary=rings).cut(plan.nearest) == [HOSTILE[1]]
    (text,) = (t for h, t in summary_sentences(content) if h.startswith("A better"))
    assert "is not identified, so that what the plan gains there" in text
    assert "It takes money from " in text
    assert "whose effect is not identified: what it loses there, nobody" in text
    content = replace(content, remarks=["The KPI stands still."])
    page = make_page(content, title=None, plotly="")
    assert 'id="plan-doubt"' in page
    assert "<h3>Look at the data first</h3>\n<p>The KPI stands still.</p>" in page
    for low, doubted in ((-1.0, True), (1.0, False), (np.nan, False)):
        plan.path.plans[plan.nearest].gain_low = low
        (text,) = (t for h, t in summary_sentences(content) if h.startswith("A better"))
        assert ("The interval holds a loss, too" in text) == doubted
    plan.path.plans[plan.nearest].probability_better = 0.38
    (text,) = (t for h, t in summary_sentences(content) if h.startswith("A better"))
    assert text.endswith("the uncertainty of the model, and no reason to move money.")


def test_cuts_of_channels_that_drive_others_are_named(world):
    model, X, y = world
    content = read_content(
        model, X, y, None, None, skill=None, level=0.9, tell=lambda step: None
    )
    plan, (one, other, third) = content.plan, HOSTILE
    plan.path.plans[plan.nearest].allocation["change"] = [0.5, -0.5, 0.0]
    said = f"By the channel graph {quote(content, other)} drives {quote(content, one)}:"
    for parent, child, expected in ((other, one, True), (one, third, False)):
        edges = pd.DataFrame({"parent": [parent], "child": [child]})
        graph = Bunch(edges=edges, pairs=content.graph.pairs)
        sentences = dict(summary_sentences(replace(content, graph=graph)))
        assert (said in sentences["A better split of the coming budget"]) == expected


def test_one_cut_is_one_for_plans_and_reports(world):
    model, X, y = world
    content = read_content(
        model, X, y, None, None, skill=None, level=0.9, tell=lambda step: None
    )
    plan, other = content.plan, HOSTILE[1]
    unknown = plan.summary.assign(verdict="not identified", alarm="")
    plan = replace(plan, summary=unknown)
    content = replace(content, plan=plan)
    found = plan.path.plans[plan.nearest]
    found.gain, found.success = 1.0, True
    for cut, named in ((-2.0 * MOVED, True), (-0.5 * MOVED, False)):
        found.allocation["change"] = [0.5, cut, 0.0]
        assert plan.cut(plan.nearest) == [other] * named
        text = dict(summary_sentences(content))["A better split of the coming budget"]
        assert (f"less for {quote(content, other)}" in text) == named


def test_what_a_unit_of_each_control_does_is_told(world, page):
    model, X, _ = world
    table = model.control_summary(X)
    said = [one.strip() for one in read(page)[0].text if one.strip()]
    start = said.index("What one unit of each control does")
    row, own = table.loc["price"], said[said.index("price", start) :]
    sign = "+" if row["effect"] > 0 else ""
    assert own[1:4] == [
        row["verdict"],
        sign + number(row["effect"]),
        interval(row["effect_low"], row["effect_high"]),
    ]


def test_without_controls_nothing_is_said_of_their_units(series, tmp_path):
    X = series.X.drop(columns=["region", *series.controls])
    path = make_report(*fitted_shortly(series, X), tmp_path / "report.html")
    assert "What one unit of each control" not in path.read_text(encoding="utf-8")


def test_channels_that_no_plan_moves_are_named(world):
    model, X, y = copy.copy(world[0]), *world[1:]
    settings = {"skill": None, "level": 0.9, "tell": lambda step: None}
    content = read_content(model, X, y, None, None, **settings)
    assert content.plan.kept == []
    assert "Plans leave" not in str(list(summary_sentences(content)))
    model._alarms = (SWITCH, "", "")
    content = read_content(model, X, y, None, None, **settings)
    (alarmed,) = content.summary.index[content.summary["alarm"] == SWITCH]
    assert content.plan.kept == [alarmed]
    name = content.brief[alarmed]
    said = f"Plans leave “{name}” at its spend, because the fit warns of it."
    assert any(said in text for _, text in summary_sentences(content))
    kept = f'"kept":[{content.channels.index(alarmed)}]'
    assert kept in make_page(content, title=None, plotly="")
    model._alarms = (SWITCH, SWITCH, SWITCH)
    content = read_content(model, X, y, None, None, **settings)
    assert len(content.plan.path.plans) == 1
    text = str(list(summary_sentences(content)))
    assert "at their spend, because the fit warns of them." in text
    assert make_page(content, title=None, plotly="")


@pytest.fixture(scope="module")
def organic(series):
    """A model of one channel with a cost and one without."""
    model = DeepCausalMMMRegressor(
        time="week",
        media=series.media,
        media_cost={series.media[0]: 2.0},
        n_draws=8,
        max_lag=5,
        max_iter=30,
        graph=None,
        random_state=0,
    )
    X = series.X.drop(columns="region")
    return model.fit(X, series.y), X, series.y


@pytest.fixture(scope="module")
def organic_page(organic, tmp_path_factory):
    return make_report(*organic, tmp_path_factory.mktemp("organic") / "report.html")


def test_media_without_a_cost_leave_the_others_their_returns(organic, organic_page):
    model, _, _ = organic
    reader, payload = read(organic_page)
    assert payload["priced"] is True
    assert payload["paid"] == [True, False]
    assert payload["summary"]["roi"][0] > 0
    assert payload["summary"]["roi"][1] is None
    summary = model.channel_summary()
    assert f"{number(summary['roi'].iloc[0])}" in " ".join(reader.text)
    assert "#plan" in reader.references


def test_why_there_is_no_plan_is_said(national, tmp_path, monkeypatch):
    def refuse(*args, **options):
        raise ValueError("No spend <here>.")

    monkeypatch.setattr("skmmm.effects.Effects.budget_path", refuse)
    reader, payload = read(make_report(*national, tmp_path / "report.html"))
    assert payload["plan"] is None
    assert "No spend <here>." in " ".join(reader.text)


def test_same_model_same_bytes(national, national_page, tmp_path):
    again = make_report(*national, tmp_path / "report.html")
    assert again.read_bytes() == national_page.read_bytes()


def test_title_and_callback(national, tmp_path):
    said = []
    path = make_report(
        *national, tmp_path / "report.html", title="Q3 <review>", callback=said.append
    )
    assert "<title>Q3 &lt;review&gt;</title>" in path.read_text(encoding="utf-8")
    assert said == ["fit", "contributions", "response curves", "plans"]


def test_many_regions_keep_the_file_small(world, page, tmp_path, monkeypatch):
    n_parts = len(read(page)[1]["baseNames"])
    per_region = 60 * (4 + n_parts + 3)
    monkeypatch.setattr("skmmm.report._payload._MOST_NUMBERS", per_region * 2)
    _, payload = read(make_report(*world, tmp_path / "report.html"))
    assert len(payload["series"]) == len(payload["regions"]) == 3
    assert payload["regionsLeftOut"] == 1
    _, X, y = world
    size = y.groupby(X["region"].to_numpy()).sum().sort_values(ascending=False)
    assert payload["regions"][1:] == list(size.index[:2])


# --- regions, tables, settings -----------------------------------------------------


def test_the_list_of_regions_moves_the_whole_tab(world, page):
    model, X, y = world
    _, payload = read(page)
    for name in ("returns", "scores", "series"):
        assert len(payload[name]) == len(payload["regions"]) == 4
    summary = model.channel_summary(by="region")
    for region, told in zip(
        payload["regions"][1:], payload["returns"][1:], strict=True
    ):
        own = summary.xs(region, level="region")
        assert_allclose(told["roi"], own["roi"], rtol=1e-4)
        assert_allclose(told["spend"], own["spend"], rtol=1e-4)
    rows = (X["region"] == payload["regions"][1]).to_numpy()
    error = np.abs(y[rows] - model.predict(X)[rows]).sum() / y[rows].sum()
    assert payload["scores"][1][0][1] == pytest.approx(error, rel=1e-3)
    bounds = model.predict_interval(X)[rows]
    assert_allclose(payload["series"][1]["low"], bounds[:, 0], rtol=1e-3)
    assert payload["series"][0]["low"] is None


def test_every_card_under_the_list_of_regions_says_what_it_is_about(page):
    text = page.read_text(encoding="utf-8")
    for section in ("fit", "channels"):
        body = text.split(f'<section id="{section}"')[1].split("</section>")[0]
        headings = re.findall(r"<h3>(.*?)</h3>", body)
        assert headings
        assert all('class="scope' in heading for heading in headings)


def test_no_two_columns_of_a_table_have_the_same_heading(page):
    text = page.read_text(encoding="utf-8")
    for head in re.findall(r"<thead>(.*?)</thead>", text):
        names = re.findall(r"<th[^>]*>(.*?)</th>", head)
        assert len(set(names)) == len(names)


def test_tables_are_there_without_a_script(page):
    text = page.read_text(encoding="utf-8")
    for name, n_rows in (("plan-table", 3), ("rows-table", 13), ("regions-table", 3)):
        body = text.split(f'id="{name}"')[1].split("</table>")[0].split("<tbody>")[1]
        assert body.count("<tr>") == n_rows


def test_errors_beyond_four_deviations_are_listed_by_date(national, tmp_path):
    model, X, y = national
    strange = y.copy()
    strange.iloc[30] += 3.0 * y.mean()
    reader, _ = read(make_report(model, X, strange, tmp_path / "report.html"))
    said = " ".join(reader.text)
    assert "Errors beyond four standard deviations: 1" in said
    assert str(X["week"].iloc[30])[:10] in said


def test_undecided_pairs_are_counted_listed_and_explained(world, page):
    model, _, _ = world
    text = page.read_text(encoding="utf-8")
    pairs = model.channel_graph().pairs
    n_open = int((pairs["verdict"] == "undecided").sum())
    n_none = int((pairs["verdict"] == "no edge").sum())
    if n_none:
        assert f"No edge: {n_none} pair" in text
    if n_open:
        card = text.split(f"Undecided: {n_open} pair")[1].split("</table>")[0]
        assert card.split("<tbody>")[1].count("<tr>") == n_open
        assert "Why it is open" in card


def test_settings_of_the_fit_are_told(organic, organic_page):
    model, _, _ = organic
    reader, _ = read(organic_page)
    said = " ".join(reader.text)
    for name in ("adstock", "media_cost", "priors", "random_state", "Training rows"):
        assert name in said
    assert f"{model.media_[0]}: 2" in said
    assert "weibull (default)" in said


def test_the_waterfall_has_trend_season_and_every_control(
    series, national, national_page
):
    model, X, _ = national
    _, payload = read(national_page)
    found = payload["waterfall"]
    assert found["names"][:3] == ["base", "trend", "season"]
    assert set(series.controls) <= set(found["names"])
    caused = model.contributions()[series.media].to_numpy().sum()
    total = sum(found["values"]) + caused
    assert total == pytest.approx(model.predict(X).sum(), rel=1e-3)


# --- searches and pipelines --------------------------------------------------------


def test_a_search_and_a_pipeline_give_the_report_of_their_model(
    national, national_page, tmp_path
):
    (model, X, y), expected = national, national_page.read_bytes()
    alone = make_pipeline(FunctionTransformer(), model)
    assert make_report(alone, X, y, tmp_path / "pipe").read_bytes() == expected
    search = GridSearchCV(model, {"max_lag": [5]})
    search.best_estimator_ = model
    assert make_report(search, X, y, tmp_path / "search").read_bytes() == expected


def test_a_step_that_changes_spend_is_refused(series, national, tmp_path):
    model, X, y = national

    def double(X):
        return X.assign(**{series.media[1]: 2.0 * X[series.media[1]]})

    doubled = make_pipeline(FunctionTransformer(double), model)
    with pytest.raises(
        ValueError, match=f"change the media column '{series.media[1]}'"
    ):
        make_report(doubled, X, y, tmp_path / "report.html")
    assert not list(tmp_path.iterdir())


def test_an_interrupted_report_leaves_the_one_that_is_there(
    national, tmp_path, monkeypatch
):
    path = tmp_path / "report.html"
    path.write_text("yesterday's")

    def stop(self, text, **options):
        self.write_bytes(text[:1000].encode())
        raise KeyboardInterrupt

    monkeypatch.setattr("pathlib.Path.write_text", stop)
    with pytest.raises(KeyboardInterrupt):
        make_report(*national, path)
    assert path.read_text() == "yesterday's"
    assert list(tmp_path.iterdir()) == [path]
