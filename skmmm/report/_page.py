"""The page: sections of text, tables and places for charts, around the payload."""

from importlib.resources import files
from string import Template

from skmmm import __version__
from skmmm.report._cells import day
from skmmm.report._html import escape
from skmmm.report._payload import make_payload, to_json
from skmmm.report._tabs import TABS
from skmmm.report._words import periods


def make_page(content, *, title, plotly):
    """Return the HTML of a report.

    Parameters
    ----------
    content : Content
    title : str or None
    plotly : str
        Source of plotly.js.

    Returns
    -------
    html : str
    """
    title = title or f"Marketing mix report: {content.kpi}"
    made = [(key, name, make(content)) for key, name, make in TABS]
    made = [section for section in made if section[2]]
    tabs = [
        f'<a role="tab" id="tab-{key}" href="#{key}" aria-controls="{key}">{name}</a>'
        for key, name, _ in made
    ]
    sections = [
        f'<section id="{key}" role="tabpanel" aria-labelledby="tab-{key}">\n'
        f"<h2>{name}</h2>\n{body}\n</section>"
        for key, name, body in made
    ]
    folder = files("skmmm.report") / "templates"
    read = {
        name: (folder / file).read_text(encoding="utf-8")
        for name, file in (("style", "style.css"), ("script", "report.js"))
    }
    page = Template((folder / "page.html").read_text(encoding="utf-8"))
    return page.substitute(
        title=escape(title),
        facts=_facts(content),
        tabs="\n".join(tabs),
        sections="\n".join(sections),
        payload=to_json(make_payload(content)),
        plotly=plotly.replace("</script", "<\\/script"),
        version=__version__,
        **read,
    )


def _facts(content):
    times = content.times
    regions = f"{len(content.regions)} regions · " if content.regional else ""
    first, last = (day(t) for t in (times[0], times[-1]))
    held_out = content.cells["holdout"]
    later = ""
    if held_out.any():
        n_later = content.cells[held_out].index.unique("time").size
        later = f" · the last {n_later} {periods(content, n_later)} held out"
    return escape(
        f"{content.kpi} · {regions}{len(times)} {periods(content)} from {first} to "
        f"{last} · {len(content.channels)} channels{later}"
    )
