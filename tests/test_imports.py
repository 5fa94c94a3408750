"""Which module may import which, read from the sources."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import skmmm

ROOT = Path(skmmm.__file__).parent
FILES = {path.relative_to(ROOT).as_posix(): path for path in ROOT.rglob("*.py")}
NETWORK = sorted(name for name in FILES if name.startswith("_model/"))
GRAPH = sorted(name for name in FILES if name.startswith("graph/"))
# What the estimators stand on: arrays in, arrays out.
GRAPH_OF_ARRAYS = sorted(
    set(GRAPH)
    - {
        f"graph/{n}.py"
        for n in ("__init__", "_channel_graph", "_estimators", "_experiments")
    }
)
# Stand on scikit-learn alone: a linear model needs none of the network.
WITHOUT_NETWORK = sorted(
    name
    for name in FILES
    if name.startswith(
        (
            "allocation/",
            "baselines/",
            "datasets/",
            "experiments/",
            "graph/",
            "inspection/",
            "model_selection/",
            "_planning/",
            "plotting/",
            "preprocessing/",
            "scenarios/",
        )
    )
    or name == "metrics.py"
)
OF_ARRAYS = ["changes", "panel", "scales"]  # of _data, for the network as well
EXPERIMENTS_OF_ARRAYS = [
    f"experiments/{n}.py" for n in ("_candidates", "_synthetic_control")
]
INSPECTION = sorted(name for name in FILES if name.startswith("inspection/"))
PLANNING = sorted(name for name in FILES if name.startswith("_planning/"))


@cache
def imported(name, *, top_level=False):
    """Return the modules that a file imports, with the names it takes from them."""
    tree = ast.parse(FILES[name].read_text(encoding="utf-8"))
    nodes = tree.body if top_level else ast.walk(tree)
    found = set()
    for node in nodes:
        if top_level and isinstance(node, ast.Try | ast.If):
            if "TYPE_CHECKING" not in ast.unparse(node):
                nodes.extend(ast.iter_child_nodes(node))
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} has a relative import"
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def imports(name, *modules, top_level=False):
    """Return which of the modules, or what is inside them, a file imports."""
    return sorted(
        found
        for found in imported(name, top_level=top_level)
        if any(f"{found}.".startswith(f"{module}.") for module in modules)
    )


@cache
def reachable(name):
    """Return the files of the package that importing a file also imports."""
    seen, waiting = set(), [name]
    while waiting:
        for found in imports(waiting.pop(), "skmmm"):
            parts = found.split(".")[1:]
            for length in range(1, len(parts) + 1):
                stem = "/".join(parts[:length])
                for file in (f"{stem}.py", f"{stem}/__init__.py"):
                    if file in FILES and file not in seen:
                        seen.add(file)
                        waiting.append(file)
    return seen


def for_each(names):
    """Make a test of one file a test of many, which names those that fail."""

    def of_many(test):
        def run():
            failed = {}
            for name in names:
                try:
                    test(name)
                except AssertionError as error:
                    failed[name] = str(error)
            assert not failed

        return run

    return of_many


def test_the_reader_reads():
    assert "torch" in imported("_estimator/fitting.py")
    assert imports("_model/optimise.py", "skmmm._model") != []
    assert "_model/priors.py" in reachable("_regressor.py")
    assert len(NETWORK) > 5
    assert len(GRAPH) > 5
    assert len(WITHOUT_NETWORK) > 5
    assert len(INSPECTION) > 2
    assert len(PLANNING) > 2


@for_each(NETWORK)
def test_network_knows_neither_tables_nor_estimators(name):
    assert imports(name, "pandas", "polars", "sklearn") == []
    allowed = "skmmm._model", "skmmm._utils.regions"
    allowed += tuple(f"skmmm._data.{n}" for n in OF_ARRAYS)
    assert set(imports(name, "skmmm")) == set(imports(name, *allowed))


@for_each(GRAPH_OF_ARRAYS)
def test_graph_knows_neither_tables_nor_sales(name):
    assert imports(name, "pandas", "polars", "sklearn", "torch") == []
    own = imports(name, "skmmm.graph", "skmmm._utils.regions")
    assert imports(name, "skmmm") == own


@for_each(EXPERIMENTS_OF_ARRAYS)
def test_synthetic_controls_know_no_tables(name):
    assert imports(name, "pandas", "polars", "sklearn", "torch") == []
    own = imports(name, "skmmm.experiments", "skmmm._utils.parallel")
    assert imports(name, "skmmm") == own


@for_each([f"_data/{name}.py" for name in OF_ARRAYS])
def test_arrays_know_no_tables(name):
    assert imports(name, "pandas", "polars", "sklearn", "torch", "skmmm") == []


@for_each(sorted(FILES))
def test_torch_stays_with_the_network(name):
    if name not in NETWORK and name != "_estimator/fitting.py":
        assert imports(name, "torch") == []


def test_torch_waits_for_fit():
    code = (
        "import sys, skmmm.effects, skmmm.graph, skmmm.plotting; "
        "skmmm.DeepCausalMMMRegressor(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_file_imports_itself_in_a_circle():
    needed = {name: imports(name, "skmmm", top_level=True) for name in FILES}
    waiting = {
        name: {file for file in FILES if file != name and _runs(file, modules)}
        for name, modules in needed.items()
    }
    while free := [
        name for name, needed in waiting.items() if not needed & set(waiting)
    ]:
        for name in free:
            del waiting[name]
    assert not waiting


def _runs(file, modules):
    """Return whether importing some modules, or names of them, runs a file."""
    name = "skmmm." + file.removesuffix(".py").removesuffix("/__init__").replace(
        "/", "."
    )
    return any(found == name or found.rpartition(".")[0] == name for found in modules)


@for_each(WITHOUT_NETWORK)
def test_what_stands_without_the_network(name):
    for file in {name} | reachable(name):
        assert imports(file, "torch") == []
        assert file != "_regressor.py"
        assert not file.startswith("_model/")


@for_each(PLANNING)
def test_planning_knows_neither_tables_nor_estimators(name):
    assert imports(name, "pandas", "polars", "sklearn", "torch") == []
    own = imports(name, "skmmm._planning", "skmmm._utils.labels")
    assert imports(name, "skmmm") == own


@for_each(INSPECTION)
def test_inspection_plans_nothing(name):
    planning = ("allocation/", "_planning/")
    assert not [file for file in reachable(name) if file.startswith(planning)]


@for_each(sorted(FILES))
def test_nobody_imports_the_command_line(name):
    assert imports(name, "skmmm.__main__") == []
    if not name.startswith("_cli/") and name != "__main__.py":
        assert imports(name, "skmmm._cli") == []


@for_each(sorted(FILES))
def test_only_the_command_line_imports_the_report(name):
    if not name.startswith("report/") and name != "_cli/commands.py":
        assert imports(name, "skmmm.report") == []
    assert imports(name, "plotly", top_level=True) == []


@for_each(sorted(FILES))
def test_matplotlib_only_inside_functions(name):
    assert imports(name, "matplotlib", top_level=True) == []


@for_each(sorted(FILES))
def test_no_star_and_no_tests(name):
    assert not [found for found in imported(name) if found.endswith(".*")]
    assert imports(name, "tests", "pytest", "hypothesis", "benchmarks") == []


def _dataclasses(name):
    """Return the dataclasses of a file with the types of their fields."""
    for node in ast.walk(ast.parse(FILES[name].read_text(encoding="utf-8"))):
        decorators = [ast.unparse(d) for d in getattr(node, "decorator_list", [])]
        if isinstance(node, ast.ClassDef) and "dataclass" in " ".join(decorators):
            fields = [f for f in node.body if isinstance(f, ast.AnnAssign)]
            types = " ".join(ast.unparse(f.annotation) for f in fields)
            yield node.name, types, "eq=False" in " ".join(decorators)


@for_each(sorted(FILES))
def test_dataclasses_of_arrays_are_compared_by_identity(name):
    # Arrays have no truth value, and lists no hash: == and hash() would raise.
    plain = {"str", "int", "float", "bool", "tuple", "object", "Any", "None", "|"}
    plain.add("RetailMonths")  # which has none other
    for found, types, by_identity in _dataclasses(name):
        assert by_identity or set(types.split()) <= plain, found


@for_each(sorted(set(FILES) - {"_utils/sklearn.py"}))
def test_private_names_of_scikit_learn_stand_in_one_file(name):
    taken = imports(name, "sklearn")
    assert [found for found in taken if "._" in found] == []
