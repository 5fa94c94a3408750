"""The report in a real browser: it loads, its controls work, it fits the screen.

Needs Chromium and its driver (Debian's packages chromium and chromium-driver) and the
package selenium.
"""

import json
import shutil
from time import sleep

import pandas as pd
import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is missing")
pytest.importorskip("plotly", reason="the report needs plotly")

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from skmmm import DeepCausalMMMRegressor
from skmmm.report import make_report

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")

pytestmark = [
    pytest.mark.skipif(
        BROWSER is None or DRIVER is None,
        reason="no browser: install the packages chromium and chromium-driver",
    ),
    pytest.mark.usefixtures("short_chains"),
    pytest.mark.filterwarnings("ignore:The experiment on"),
]

OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


@pytest.fixture(scope="module")
def report(panel, tmp_path_factory):
    """A report whose channel and region names try to be HTML."""
    evil = {panel.media[0]: '<img src=x onerror="window.hacked=1">'}
    X = panel.X.rename(columns=evil)
    X["region"] = X["region"] + "</option><script>window.hacked=1</script>"
    X["seen"] = 1.0 + X["price"].rank() % 3
    weeks = X["week"].unique()
    tests = pd.DataFrame(
        {
            "media": [evil[panel.media[0]], panel.media[1]],
            "start": weeks[[10, 30]],
            "end": weeks[[19, 34]],
            "change": [0.0, 1.5],
            "estimate": [-900.0, 100.0],
            "std_error": [90.0, 50.0],
        }
    )
    model = DeepCausalMMMRegressor(
        media=[evil.get(name, name) for name in panel.media],
        controls=panel.controls,
        region="region",
        time="week",
        media_cost=1.0,
        frequency={panel.media[2]: "seen"},
        max_lag=5,
        n_draws=8,
        max_iter=10,
        random_state=0,
        experiments=tests,
    )
    y = panel.y.rename("<b>sales</b>")
    path = tmp_path_factory.mktemp("browser") / "report.html"
    model.fit(X, y)
    return make_report(model, X, y, path, previous=model)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    for option in OPTIONS:
        options.add_argument(option)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.binary_location = BROWSER
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(DRIVER)
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


@pytest.fixture
def page(browser, report):
    browser.get_log("browser")  # what earlier tests left
    resize(browser, 1280)
    browser.get(report.as_uri())
    return browser


def resize(browser, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def wait(browser, ready):
    WebDriverWait(browser, 20, 0.05).until(lambda _: ready())


def sections(browser):
    return browser.find_elements(By.CSS_SELECTOR, "main > section")


def shown(browser):
    return [section for section in sections(browser) if section.is_displayed()]


def errors(browser):
    return [e for e in browser.get_log("browser") if e["level"] == "SEVERE"]


def open_tab(browser, name):
    browser.find_element(By.ID, f"tab-{name}").click()
    wait(browser, lambda: shown(browser)[0].get_attribute("id") == name)


def not_drawn(browser, section):
    """Return which charts of a section are missing or narrow."""
    return browser.execute_script(
        """
        return [...arguments[0].querySelectorAll(".chart")].filter(
          box => !box.querySelector(".main-svg") || box.offsetWidth <= 200
        ).map(box => box.id);
        """,
        section,
    )


def values(browser, chart, trace=0, axis="y"):
    """Return the values of a trace of a chart."""
    script = (
        "const [id, trace, axis] = arguments;"
        "const found = document.getElementById(id).data.filter("
        "  (t, i) => i === trace || t.name === trace);"
        "return JSON.stringify(found[0][axis])"
    )
    return json.loads(browser.execute_script(script, chart, trace, axis))


def sticking_out(browser):
    """Return what is wider than its box: texts of charts, and scrolled boxes."""
    return browser.execute_script(
        """
        const found = [];
        const page = document.documentElement;
        if (page.scrollWidth > window.innerWidth) found.push("page");
        const shown = document.querySelectorAll("main > section:not([hidden]) *");
        for (const box of shown) {
          const scrolls = box.classList.contains("scroll");
          if (scrolls && box.scrollWidth > box.clientWidth + 1) {
            found.push(`table ${box.textContent.slice(0, 30)}`);
          }
          if (!box.classList.contains("chart")) continue;
          const { left, right, top, bottom } = box.getBoundingClientRect();
          for (const text of box.querySelectorAll("svg text")) {
            const own = text.getBoundingClientRect();
            const out = Math.max(left - own.left, own.right - right,
                                 top - own.top, own.bottom - bottom);
            if (own.width && out > 3) found.push(`${box.id}: ${text.textContent}`);
          }
        }
        return found;
        """
    )


def test_opens_on_the_summary_without_errors_or_requests(page):
    (section,) = shown(page)
    assert section.get_attribute("id") == "summary"
    assert page.title == "Marketing mix report: <b>sales</b>"
    assert errors(page) == []
    script = "return performance.getEntriesByType('resource').length"
    assert page.execute_script(script) == 0


def test_every_tab_shows_its_charts(page):
    for section in sections(page):
        name = section.get_attribute("id")
        open_tab(page, name)
        assert shown(page) == [section]
        assert not_drawn(page, section) == []
    assert errors(page) == []


def test_pairs_of_channels_show_their_verdicts(page):
    """Edges are framed, undecided pairs dotted; others have nothing around them."""
    open_tab(page, "graph")
    wait(page, lambda: not not_drawn(page, shown(page)[0]))
    shapes, verdicts = page.execute_script(
        """
        const chart = document.getElementById("chart-graph");
        const told = JSON.parse(document.querySelector("script").textContent);
        return [chart.layout.shapes, told.graph.verdicts];
        """
    )
    drawn = {
        (round(s["y0"] + 0.46), round(s["x0"] + 0.46)): s["line"].get("dash")
        for s in shapes
    }
    expected = {
        (i, j): {"edge": None, "undecided": "dot"}[said]
        for i, row in enumerate(verdicts)
        for j, said in enumerate(row)
        if i != j and said in ("edge", "undecided")
    }
    assert drawn == expected
    assert "dot" in drawn.values()


def test_names_stay_text(page):
    text = page.find_element(By.ID, "summary").get_attribute("textContent")
    assert '<img src=x onerror="window.hacked=1">' in text
    for section in sections(page):
        open_tab(page, section.get_attribute("id"))
    assert page.execute_script("return window.hacked") is None
    assert page.find_elements(By.CSS_SELECTOR, "main img, main b") == []


def test_the_slider_changes_the_plan(page):
    open_tab(page, "plan")
    table = page.find_element(By.ID, "plan-table")
    slider = page.find_element(By.ID, "budget")
    rows = page.find_element(By.ID, "rows-table")
    assert "unchanged" in page.find_element(By.ID, "budget-text").text
    before, rows_before = table.text, rows.text
    slider.send_keys(Keys.END)
    wait(page, lambda: table.text != before)
    assert "+" in page.find_element(By.ID, "budget-text").text
    assert rows.text != rows_before
    more = rows.text
    Select(page.find_element(By.ID, "plan-region")).select_by_index(1)
    assert rows.text != more
    assert errors(page) == []


def test_the_region_changes_all_that_is_under_it(page):
    open_tab(page, "fit")
    total = values(page, "chart-fit", "observed")
    scores = page.find_element(By.ID, "scores-table").text
    base = values(page, "chart-baseline")
    region = Select(page.find_element(By.ID, "region"))
    assert len(region.options) == 4
    region.select_by_index(2)
    name = region.options[2].text
    one = values(page, "chart-fit", "observed")
    assert all(a < b for a, b in zip(one, total, strict=True))
    assert page.find_element(By.ID, "scores-table").text != scores
    assert values(page, "chart-baseline") != base
    open_tab(page, "channels")
    assert sum(values(page, "chart-contributions")) < sum(total)
    told = [
        page.find_element(By.ID, "channels-table").text,
        values(page, "chart-returns", axis="x"),
        values(page, "chart-shares", axis="x"),
    ]
    headings = page.find_elements(By.CSS_SELECTOR, "#channels h3 .scope")
    assert {heading.text for heading in headings} == {f": {name}"}
    region.select_by_index(0)
    assert told[0] != page.find_element(By.ID, "channels-table").text
    assert told[1] != values(page, "chart-returns", axis="x")
    assert told[2] != values(page, "chart-shares", axis="x")
    assert errors(page) == []


def test_the_channel_changes_the_curve(page):
    open_tab(page, "response")
    before = values(page, "chart-curve")
    Select(page.find_element(By.ID, "channel")).select_by_index(1)
    assert values(page, "chart-curve") != before


def test_headings_sort_the_regions(page):
    open_tab(page, "regions")
    table = page.find_element(By.ID, "regions-table")
    heading = table.find_elements(By.CSS_SELECTOR, "th button")[1]

    def column():
        script = (
            "return Array.from(arguments[0].tBodies[0].rows, r => r.cells[0].innerText)"
        )
        return page.execute_script(script, table)

    heading.click()
    falling = column()
    heading.click()
    assert column() == falling[::-1]


def test_arrows_move_between_tabs(page):
    first, second = (s.get_attribute("id") for s in sections(page)[:2])
    tab = page.find_element(By.ID, f"tab-{first}")
    tab.send_keys(Keys.ARROW_DOWN)
    wait(page, lambda: shown(page)[0].get_attribute("id") == second)
    assert page.switch_to.active_element.get_attribute("id") == f"tab-{second}"


def test_a_link_opens_its_section(browser, report):
    browser.get(report.as_uri() + "#data")
    assert [s.get_attribute("id") for s in shown(browser)] == ["data"]


@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_is_cut_and_the_page_scrolls_down_only(browser, report, width):
    resize(browser, width)
    browser.get(report.as_uri())
    for section in sections(browser):
        open_tab(browser, section.get_attribute("id"))
        assert sticking_out(browser) == []
    assert errors(browser) == []


def test_cards_keep_the_height_of_charts_when_the_window_changes(page):
    open_tab(page, "plan")
    wait(page, lambda: page.find_elements(By.CSS_SELECTOR, "#chart-path .main-svg"))
    resize(page, 400)
    wait(page, lambda: page.execute_script("return window.innerWidth") == 400)
    sleep(0.5)  # Plotly waits for the end of the change
    script = """return ["chart-plan", "chart-path"].map(
        id => document.getElementById(id)).every(
        box => box.offsetHeight + 1 >= box.querySelector(".main-svg").clientHeight)"""
    assert page.execute_script(script)


def test_every_interval_lies_inside_its_axis(page):
    for tab, chart in (("summary", "chart-effects"), ("channels", "chart-returns")):
        open_tab(page, tab)
        low, high = page.execute_script(
            f"return document.getElementById('{chart}').layout.xaxis.range"
        )
        script = (
            f"const t = document.getElementById('{chart}').data[0];"
            "return t.x.map((v, i) => [v - t.error_x.arrayminus[i],"
            " v + t.error_x.array[i]]).flat()"
        )
        ends = page.execute_script(script)
        assert low <= min(ends)
        assert max(ends) <= high
