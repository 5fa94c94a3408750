"""The tabs of the page: each is a function from the content to HTML, empty for none."""

from skmmm.report._tabs.channels import channels
from skmmm.report._tabs.data import data
from skmmm.report._tabs.diagnostics import diagnostics
from skmmm.report._tabs.fit import fit
from skmmm.report._tabs.graph import graph
from skmmm.report._tabs.plan import plan
from skmmm.report._tabs.reading import reading
from skmmm.report._tabs.regions import regions
from skmmm.report._tabs.response import response
from skmmm.report._tabs.summary import summary

__all__ = ["TABS"]

TABS = (
    ("summary", "Summary", summary),
    ("fit", "Fit and forecast", fit),
    ("channels", "Channels", channels),
    ("response", "Response", response),
    ("graph", "Channel graph", graph),
    ("plan", "Budget plan", plan),
    ("regions", "Regions", regions),
    ("diagnostics", "Diagnostics", diagnostics),
    ("data", "Data", data),
    ("reading", "How to read this", reading),
)
