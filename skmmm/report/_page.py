"""The page: templates of text, tables and places for charts, around the payload."""

from importlib import import_module
from importlib.resources import files

from jinja2 import Environment, PackageLoader

from skmmm import __version__
from skmmm._utils.labels import counted
from skmmm.graph._estimate import RULE_OUT
from skmmm.plotting._style import shorten
from skmmm.report._content import Content
from skmmm.report._payload import make_payload, to_json
from skmmm.report._tables import day, tabs
from skmmm.report._words import periods


def make_page(content: Content, *, title: str | None, plotly: str) -> str:
    """Return the HTML of a report.

    Parameters
    ----------
    content : Content
    title : str or None
    plotly : str
        Source of plotly.js.
    """
    templates = Environment(
        loader=PackageLoader("skmmm.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.tests["tuple"] = lambda cell: isinstance(cell, tuple)

    folder = files("skmmm.report") / "templates"
    page = templates.get_template("page.html").render(
        content=content,
        # Templates call functions of these.
        words=import_module("skmmm.report._words"),
        tables=import_module("skmmm.report._tables"),
        level=f"{content.level:.0%}",
        # What a card under the list of regions is about.
        scope="region" if content.has_regions else "",
        rule_out=f"{RULE_OUT:.0%}",
        shorten=shorten,
        tabs=tabs(content),
        title=title or f"Marketing mix report: {content.kpi}",
        facts=_facts(content),
        payload=to_json(make_payload(content)),
        plotly=plotly.replace("</script", "<\\/script"),
        style=(folder / "style.css").read_text(encoding="utf-8"),
        script=(folder / "report.js").read_text(encoding="utf-8"),
        version=__version__,
    )
    # Half of a surrogate pair is no text, and cannot be written.
    return page.encode("utf-8", "replace").decode("utf-8")


def _facts(content):
    times = content.times
    regions = (
        f"{counted(len(content.regions), 'region')} · " if content.regional else ""
    )
    first, last = (day(t) for t in (times[0], times[-1]))
    held_out = content.cells["holdout"]
    later = ""
    if held_out.any():
        n_later = content.cells[held_out].index.unique("time").size
        later = f" · the last {n_later} {periods(content, n_later)} held out"
    return (
        f"{content.kpi} · {regions}{len(times)} {periods(content, len(times))} from "
        f"{first} to {last} · {counted(len(content.channels), 'channel')}{later}"
    )
