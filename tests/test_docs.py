"""What the documentation shows runs, and quotes only committed results."""

import doctest
import importlib
import re
import sys
from pathlib import Path

import pytest
from sklearn.utils import Bunch

from skmmm import datasets

pytestmark = pytest.mark.usefixtures("short_chains")

ROOT = Path(__file__).parents[1]
MODULES = (
    "_grouped",
    "_regressor",
    "allocation._given",
    "allocation._levers",
    "allocation._optimize",
    "allocation._path",
    "allocation._plan",
    "allocation._policy",
    "baselines._linear",
    "baselines._naive",
    "datasets._environment",
    "datasets._loaders",
    "datasets._synthetic",
    "experiments._adapters",
    "experiments._analysis",
    "experiments._design",
    "experiments._flights",
    "experiments._recommend",
    "graph._estimators",
    "inspection._anchors",
    "inspection._brand",
    "inspection._calibration",
    "inspection._compare",
    "inspection._confounding",
    "inspection._controls",
    "inspection._effects",
    "inspection._hill",
    "inspection._payback",
    "inspection._placebo",
    "inspection._stability",
    "metrics",
    "model_selection._experiments",
    "model_selection._scorers",
    "model_selection._splits",
    "plotting._baseline",
    "plotting._contributions",
    "plotting._curves",
    "plotting._demand",
    "plotting._diagnostics",
    "plotting._fit",
    "plotting._graph",
    "plotting._plans",
    "plotting._regions",
    "plotting._review",
    "plotting._returns",
    "plotting._shapes",
    "preprocessing._adstock",
    "preprocessing._regions",
    "preprocessing._saturation",
    "preprocessing._scaling",
    "preprocessing._season",
    "report",
    "scenarios._compare",
    "scenarios._future",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name, pyplot):
    module = importlib.import_module(f"skmmm.{name}")
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.fixture
def short_example(monkeypatch):
    """Three regions of the bundled example: what is tested is that code runs."""
    whole = datasets.load_mmm_example()
    some = whole.X["region"].isin(whole.X["region"].unique()[:3])
    part = Bunch(**whole | {"X": whole.X[some], "y": whole.y[some]})
    monkeypatch.setattr(datasets, "load_mmm_example", lambda: part)


@pytest.mark.usefixtures("short_example")
def test_example_in_readme(capsys):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    code = code.replace("random_state=0,", "random_state=0, max_iter=2, n_draws=2,")
    exec(compile(code, "README.md", "exec"), {})
    scores = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(r"\[\S+ +\S+ *\]", scores)


@pytest.mark.usefixtures("short_example")
def test_example_in_getting_started(tmp_path, monkeypatch):
    text = (ROOT / "docs" / "getting_started.rst").read_text(encoding="utf-8")
    code = "".join(
        example.source for example in doctest.DocTestParser().get_examples(text)
    )
    code = code.replace("random_state=0,", "random_state=0, max_iter=2, n_draws=2,")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "getting_started.rst", "exec"), {})
    assert (tmp_path / "report.html").exists()


def test_pages_include_tables_that_exist():
    docs = ROOT / "docs"
    pages = [*docs.glob("*.rst"), *docs.glob("user_guide/*.rst")]
    included = set()
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for name in re.findall(r"include:: (.*figures/\S+)", text):
            included.add((page.parent / name).resolve())
    assert included == set(docs.glob("figures/*.txt"))


def test_reference_holds_every_method_once_and_in_full():
    built = ROOT / "docs" / "_build"
    if not built.exists():
        pytest.skip("the documentation has not been built")
    name = "skmmm.DeepCausalMMMRegressor"
    page = (built / "generated" / f"{name}.html").read_text("utf-8")
    for method in ("channel_summary", "optimize_budget", "predict_interval", "fit"):
        assert page.count(f'id="{name}.{method}"') == 1
    plan = page.split(f'id="{name}.optimize_budget"')[1].split('<dt class="sig')[0]
    for parameter in ("budget", "bounds", "constraints", "risk"):
        assert f"<strong>{parameter}</strong>" in plan
    # MathJax comes along: no address of another machine.
    assert 'src="../_static/mathjax/' in page
    assert (built / "_static" / "mathjax" / "tex-chtml.js").exists()


def test_everything_public_is_in_the_reference():
    text = (ROOT / "docs" / "api.rst").read_text(encoding="utf-8")
    listed = {}
    for block in text.split(".. currentmodule:: ")[1:]:
        module, *lines = block.split("\n")
        listed[module] = set(re.findall(r"^   (\w+)$", "\n".join(lines), re.MULTILINE))
    package = ROOT / "skmmm"
    names = [p.stem for p in package.glob("[a-z]*.py")]
    names += [p.parent.name for p in package.glob("[a-z]*/__init__.py")]
    for module in ["skmmm", *(f"skmmm.{name}" for name in names)]:
        public = set(importlib.import_module(module).__all__) - {"__version__"}
        assert listed.pop(module) == public
    assert not listed


def test_tables_are_those_of_the_results(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    scorecard = importlib.import_module("scorecard")
    shown = []
    for path, (start, _, _) in scorecard.PAGES.items():
        text = path.read_text(encoding="utf-8")
        assert scorecard.renewed(path) == text
        shown += [name for name in scorecard.TABLES if start.format(name) in text]
    assert sorted(shown) == sorted(scorecard.TABLES)
    sys.modules.pop("scorecard")
