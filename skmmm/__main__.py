"""Command line: fit a table, report on it, plan a budget."""

import sys
from pathlib import Path

from skmmm import DeepCausalMMMRegressor, __version__
from skmmm._cli.console import Console
from skmmm._cli.files import write_pictures, write_tables
from skmmm._cli.forecasts import compare
from skmmm._cli.parser import make_parser
from skmmm._cli.task import demo_task, describe, read_rows, read_task
from skmmm._cli.texts import (
    LEVEL,
    channel_text,
    graph_text,
    one_line,
    plan_text,
    skill_text,
    truth_text,
)


def demo(args):
    """Fit the bundled example, compare with the truth, and report."""
    console, task = Console(args.quiet), demo_task()
    model, skill = _fit_and_write(console, task, args)
    summary = model.channel_summary(confidence_level=LEVEL)
    console.say(f"\n{truth_text(task.truth, summary)}")
    try:
        import plotly  # noqa: F401
    except ImportError:
        console.say("\nNo report: it needs plotly (pip install 'skmmm[report]').")
    else:
        _report(console, model, task.X, task.y, Path(args.out) / "report.html", skill)


def fit(args):
    """Fit a table, write tables and pictures."""
    _fit_and_write(Console(args.quiet), read_task(args), args)


def report(args):
    """Fit a table, or take a saved model, and write a report."""
    console = Console(args.quiet)
    if args.model is None:
        task = read_task(args)
        model = _fit(console, task, args)
        skill, _ = compare(task, model, console, args.origins)
        X, y = task.X, task.y
    else:
        _refuse_settings(args)
        model, skill = _load(args.model), None
        X, y = read_rows(args, model)
    _report(console, model, X, y, Path(args.out), skill, args.title)


def plan(args):
    """Plan with a saved model; 1 if there is no plan."""
    console, model = Console(args.quiet), _load(args.model)
    X = None
    if args.data is not None:
        X, _ = read_rows(args, model)
    found = model.optimize_budget(
        args.budget,
        X=X,
        horizon=args.horizon,
        bounds=tuple(args.bounds),
        by=args.by,
        fixed=args.fix,
        target_roi=args.target_roi,
        target_mroi=args.target_mroi,
        confidence_level=LEVEL,
    )
    if not found.success:
        print(f"skmmm: {one_line(found.message)}", file=sys.stderr)
        return 1
    console.say(plan_text(found))
    if args.out is not None:
        found.allocation.to_csv(args.out, float_format="%.8g")
        console.say(f"\nWritten to {args.out}")
    return 0


def _fit_and_write(console, task, args):
    """Fit, compare, print and write; return the model and its skill."""
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    model = _fit(console, task, args)
    skill, held_out = compare(task, model, console, args.origins)
    summary = model.channel_summary(confidence_level=LEVEL)
    with console.stage("Writing tables"):
        files = write_tables(task, model, summary, skill, out)
    with console.stage("Drawing pictures"):
        files += write_pictures(task, model, summary, held_out, out)
    console.say(f"\n{channel_text(task, model, summary)}")
    if len(task.media) > 1:
        console.say(f"\n{graph_text(model.channel_graph())}")
    if skill is not None:
        console.say(f"\n{skill_text(task, skill)}")
    console.say(f"\nWritten to {out}:\n  {'  '.join(files)}")
    return model, skill


def _fit(console, task, args):
    console.say(f"skmmm {__version__}\n\n{describe(task)}\n")
    model = DeepCausalMMMRegressor(
        **task.roles,
        n_draws=args.draws,
        max_lag=args.max_lag,
        adstock=args.adstock,
        media_cost=args.media_cost,
        max_iter=args.max_iter,
        random_state=args.seed,
    )
    with console.stage("Fitting the model", fits=True):
        return console.fit(model, task.X, task.y)


def _report(console, model, X, y, path, skill, title=None):
    from skmmm.report import make_report

    path.parent.mkdir(parents=True, exist_ok=True)
    with console.stage("Writing the report"):
        make_report(model, X, y, path, skill=skill, title=title, confidence_level=LEVEL)
    console.say(f"\nOpen {path} in a browser.")


def _load(path):
    if not Path(path).is_file():
        raise ValueError(f"there is no file {path}")
    return DeepCausalMMMRegressor.load(path)


def _refuse_settings(args):
    """Raise if something is said that a fitted model knows already."""
    usual = make_parser().parse_args(["report", args.data, "--kpi", args.kpi])
    for name, value in vars(args).items():
        if name in ("model", "out", "title", "quiet"):
            continue
        if value != getattr(usual, name):
            option = f"--{name.replace('_', '-')}"
            raise ValueError(f"{option} is for a fit; with --model leave it out")


def main(argv=None):
    """Run the command line.

    Parameters
    ----------
    argv : list of str, default=None
        None: the arguments of the process.

    Returns
    -------
    code : int
        0; 1 if there is no plan; 2 if the input is not usable.
    """
    args = make_parser().parse_args(argv)
    commands = {"demo": demo, "fit": fit, "report": report, "plan": plan}
    try:
        return commands[args.command](args) or 0
    except BrokenPipeError:  # the reader, such as head, has seen enough
        sys.stdout = None
        return 0
    except (ValueError, OSError, ImportError) as error:
        print(f"skmmm: error: {one_line(error)}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
