"""Pieces of the page: cards, places for charts, tables; and text that is no HTML."""

from html import escape as escape_html

_MOST_ROWS = 40  # of a table that does not scroll


def escape(text):
    """Return text that is no HTML, whatever it holds."""
    text = str(text).encode("utf-8", "replace").decode("utf-8")
    return escape_html(text)


def card(heading, body, note="", scope=""):
    """Return a card; of scope "region" or "all" it says which regions it is about."""
    note = f'<p class="note">{note}</p>\n' if note else ""
    about = f'<span class="scope {scope}">: all regions</span>' if scope else ""
    return f'<div class="card">\n<h3>{heading}{about}</h3>\n{note}{body}\n</div>'


def chart(name, heading, note="", scope=""):
    """Return a place for a chart of report.js."""
    place = f'<div class="chart" id="{name}" role="img" aria-label="{heading}"></div>'
    return card(heading, place, note, scope)


def scope(content, about="region"):
    """Return what a card under the list of regions is about."""
    return about if content.regional and len(content.regions) > 1 else ""


def pair(*cards):
    """Return cards beside each other."""
    return '<div class="pair">\n' + "\n".join(cards) + "\n</div>"


def choice(name, label):
    """Return a list to choose from, which report.js fills."""
    return (
        f'<div class="controls"><label for="{name}">{label}</label>'
        f'<select id="{name}"></select></div>'
    )


def table(head, rows, *, name="", kinds=()):
    """Return a table.

    On a narrow screen every row becomes a list of headings and values.

    Parameters
    ----------
    head : list of str
    rows : list of lists of str, (str, str) or (str, str, str)
        Texts; classes and text; or these and a smaller second line.
    name : str
        Its id; tables that are sorted by clicks, or changed by the slider, have one.
    kinds : tuple of int
        Columns of text, which is set to the left.
    """
    cells = "".join(
        f'<th scope="col"{_kind(i, kinds)}>{escape(text)}</th>'
        for i, text in enumerate(head)
    )
    rows = [list(row) for row in rows]
    body = [
        "".join(
            _cell(i, name, cell, kinds)
            for i, (name, cell) in enumerate(zip(head, row, strict=True))
        )
        for row in rows
    ]
    body = "\n".join(f"<tr>{row}</tr>" for row in body)
    identity = f' id="{name}"' if name else ""
    size = " long" if len(rows) > _MOST_ROWS else ""
    return (
        f'<div class="scroll{size}" tabindex="0"><table{identity}>\n'
        f"<thead><tr>{cells}</tr></thead>\n<tbody>{body}</tbody></table></div>"
    )


def _kind(i, kinds):
    return ' class="text"' if i in kinds else ""


def _cell(i, name, cell, kinds):
    classes, text, *more = cell if isinstance(cell, tuple) else ("", cell)
    kind = f' class="{classes}"' if classes else _kind(i, kinds)
    second = "".join(f'<span class="doubt">{escape(line)}</span>' for line in more)
    value = f"<span>{escape(text)}{second}</span>"
    return f'<td{kind} data-label="{escape(name)}">{value}</td>'
