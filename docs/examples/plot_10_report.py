"""
A report in one call
====================

One HTML file for those who do not code: summary in words, fit, channels, curves, graph,
a plan with a slider for the budget, regions, diagnostics.
"""

# %%
# sphinx_gallery_thumbnail_path = 'images/report.png'
import tempfile
from pathlib import Path

from skmmm import DeepCausalMMMRegressor
from skmmm.datasets import load_mmm_example
from skmmm.report import make_report

data = load_mmm_example()
some = data.X["region"].isin(["Berlin", "Vienna"]).to_numpy()
model = DeepCausalMMMRegressor(
    media=data.media,
    controls=data.controls,
    region="region",
    time="week",
    media_cost=1.0,
    n_draws=8,
    random_state=0,
).fit(data.X[some], data.y[some])

folder = Path(tempfile.mkdtemp())
path = make_report(model, data.X[some], data.y[some], folder / "report.html")
print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")

# %%
# It opens in any browser, without a network. :doc:`/user_guide/pictures` lists what
# it holds.
