"""What stands in the page of a report."""

import json
from html.parser import HTMLParser


class Reader(HTMLParser):
    """Collects tags, references and what stands in script elements."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.references, self.scripts = [], [], []
        self.text, self._inside = [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self._inside = tag
        self.references += [v for k, v in attrs if k in ("src", "href", "action")]
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.text.append(data)


def read(path):
    reader = Reader(path.read_text(encoding="utf-8"))
    return reader, json.loads(reader.scripts[0])
