"""What the commands do: fit, report, plan, review a plan, update a model."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from skmmm._cli.console import complain
from skmmm._cli.experiments import make_test
from skmmm._cli.files import (
    remove_others,
    write_csv,
    write_pictures,
    write_settings,
    write_tables,
)
from skmmm._cli.forecasts import compare
from skmmm._cli.parser import parse
from skmmm._cli.paths import REPORT, make_room
from skmmm._cli.plans import (
    check_channels,
    limits_of,
    naming_limits,
    planned_rows,
    rows_to_plan,
)
from skmmm._cli.task import demo_task, describe, read_rows, read_task
from skmmm._cli.texts import (
    LEVEL,
    brand_text,
    channel_text,
    cut_text,
    experiment_text,
    frequency_text,
    graph_text,
    plan_text,
    returns_text,
    review_text,
    skill_text,
    synergy_text,
    truth_text,
)
from skmmm._cli.values import TOTAL_ONLY, UsageError, costs_by_channel
from skmmm._regressor import DeepCausalMMMRegressor
from skmmm._utils.labels import counted
from skmmm._version import __version__
from skmmm.inspection._compare import compare_models, refits_needed

_QUARTER = 13  # weeks of the example: what a report plans
# Options of `report` that are not about a fit.
_NOT_OF_A_FIT = (
    "config",
    "model",
    "previous",
    "out",
    "title",
    "quiet",
    "sep",
    "decimal",
    "thousands",
    "date_format",
    "fill_zero",
)


def demo(args, console):
    """Fit the bundled example without and with a test, compare with truth, report."""
    task = demo_task() if args.media_cost is None else demo_task(args.media_cost)
    _announce(console, task, args)
    told = {}
    if args.draws:  # without intervals no channel is known least
        alone = _fit(console, task, args, graph=None)
        told["Rows alone"] = alone.channel_summary(confidence_level=LEVEL)
        tests = make_test(task, told["Rows alone"], args.seed)
        task = replace(task, experiments=tests)
        console.say(experiment_text(tests))
    model, skill = _fit_and_write(console, task, args)
    name = "With the test" if told else "Estimate"
    told[name] = model.channel_summary(confidence_level=LEVEL)
    truth = task.truth.sum()
    console.say(f"\n{truth_text(truth, told)}")
    if args.draws:
        plan = model.optimize_budget(horizon=_QUARTER, confidence_level=LEVEL)
        if plan.success:
            console.say(f"\n{cut_text(plan, truth, told[name])}")
    if find_spec("plotly") is None:
        console.say("\nNo report: it needs plotly (pip install 'skmmm[report]').")
    else:
        _report(console, model, task.X, task.y, Path(args.out) / REPORT, skill)


def fit(args, console):
    """Fit a table, write tables and pictures."""
    task = read_task(args)
    _announce(console, task, args)
    _fit_and_write(console, task, args)


def report(args, console):
    """Fit a table, or take a saved model, and write a report."""
    # Before a fit that would take a while for nothing.
    path = args.previous
    earlier = None if path is None else DeepCausalMMMRegressor.load(path)
    if args.model is None:
        task = read_task(args)
        _announce(console, task, args)
        model = _fit(console, task, args)
        skill, _ = compare(task, model, console, args.origins, args.jobs)
        X, y = task.X, task.y
    else:
        _refuse_settings(args)
        make_room(args)
        model, skill = DeepCausalMMMRegressor.load(args.model), None
        X, y = read_rows(args, model)
    changes = _changes(console, earlier, model, args.jobs)
    _report(console, model, X, y, Path(args.out), skill, args.title, changes)


def plan(args, console):
    """Plan with a saved model; 1 if there is no plan."""
    if args.spend is not None and args.horizon is None:
        raise UsageError("--spend says what the periods of --horizon repeat; give both")
    make_room(args)
    model = DeepCausalMMMRegressor.load(args.model)
    X, horizon, before = rows_to_plan(args, model)
    try:
        found = model.optimize_budget(
            args.budget,
            X=X,
            horizon=horizon,
            by=args.by,
            fixed=args.fix,
            target_roi=args.target_roi,
            target_mroi=args.target_mroi,
            confidence_level=LEVEL,
            **limits_of(args, model),
        )
    except ValueError as error:
        raise type(error)(naming_limits(str(error), args)) from error
    message = naming_limits(found.message, args)
    if not found.success:
        complain(message)
        return 1
    console.say(planned_rows(model, found, args.regions))
    console.say(f"\n{plan_text(found, before, message)}")
    if args.out is not None:
        write_csv(found.allocation.reset_index(), args.out, digits=8)
        console.say(f"\nWritten to {args.out}")
    if args.save is not None:
        found.save(args.save)
        console.say(f"\nSaved to {args.save}, for skmmm review")
    return 0


def review(args, console):
    """Compare a saved plan with what came."""
    make_room(args)
    planned = DeepCausalMMMRegressor.load_plan(args.plan)
    again = None if args.model is None else DeepCausalMMMRegressor.load(args.model)
    cost, columns = _cost_in_fact(args.media_cost, planned.model)
    X, y = read_rows(args, planned.model, columns)
    found = planned.review(X, y, model=again, media_cost=cost, confidence_level=LEVEL)
    console.say(review_text(found))
    if args.out is not None:
        write_csv(found.summary.reset_index(), args.out, digits=8)
        console.say(f"\nWritten to {args.out}")


def update(args, console):
    """Let a model take in new periods, and say how returns have changed."""
    make_room(args)
    before = DeepCausalMMMRegressor.load(args.model)
    X, y = read_rows(args, before)
    calendar, time = before._calendar, before.time
    if calendar is None:
        raise ValueError("the model has no time column: fit again with all rows")
    new = calendar.ordinals(X[time], time) > before._model.history.periods[-1]
    if not new.any():
        raise ValueError(f"{args.data} has no row after those that the model knows")
    after = DeepCausalMMMRegressor.load(args.model)
    if args.effect_drift is not None:
        after.set_params(effect_drift=args.effect_drift)
    with console.stage(f"Taking in {counted(int(new.sum()), 'new row')}"):
        after.partial_fit(X[new], y[new])
    if not new.all():
        known = counted(int((~new).sum()), "row")
        console.say(f"Left out: {known} of periods that the model knows.")
    whose, rows = "all rows that each model knows", [None, None]
    if after.effect_drift:
        n_last = after._model.history.shape[1] - before._model.history.shape[1]
        rows = [_last_rows(m, n_last) for m in (before, after)]
        whose = f"the last {counted(n_last, 'period')} that each model knows"
    summaries = [
        m.channel_summary(some, confidence_level=LEVEL)
        for m, some in zip((before, after), rows, strict=True)
    ]
    console.say(f"\n{returns_text(*summaries, whose=whose)}")
    after.save(args.save)
    console.say(f"\nSaved to {args.save}")
    if args.out is not None:
        write_csv(summaries[1].reset_index(), args.out, digits=8)
        console.say(f"Written to {args.out}")


COMMANDS = {
    "demo": demo,
    "fit": fit,
    "report": report,
    "plan": plan,
    "review": review,
    "update": update,
}


def _last_rows(model, n_periods):
    """Return the training rows of the last periods.

    Both models count what these cause in them: of rows that a model does not know, it
    counts what comes later, too.
    """
    rows, periods = model._training_rows(), model._model.history.periods
    when = model._calendar.ordinals(rows[model.time], model.time)
    return rows[when > periods[-1] - n_periods]


def _cost_in_fact(cost, model):
    """Return costs by channel, and which columns of money they name."""
    if not isinstance(cost, dict):
        return cost, []
    check_channels("--media-cost", [m for m in cost if m is not None], model)
    cost = {
        name: own.removeprefix(TOTAL_ONLY) if isinstance(own, str) else own
        for name, own in costs_by_channel(cost, model.media_).items()
    }
    columns = [own for own in cost.values() if isinstance(own, str)]
    return cost, list(dict.fromkeys(columns))


def _fit_and_write(console, task, args):
    """Fit, compare, print and write; return the model and its skill."""
    out = Path(args.out)
    model = _fit(console, task, args)
    skill, held_out = compare(task, model, console, args.origins, args.jobs)
    summary = model.channel_summary(confidence_level=LEVEL)
    with console.stage("Writing tables"):
        files = write_tables(task, model, summary, skill, out)
        files.append(write_settings(args, out))
    with console.stage("Drawing pictures"):
        files += write_pictures(task, model, summary, held_out, out)
    removed = remove_others(out, files)
    console.say(f"\n{channel_text(task, model, summary)}")
    if model.experiments_ is not None:
        console.say("\n" + "\n".join(model.experiments_["finding"]))
    if task.frequency:
        console.say(
            f"\n{frequency_text(model.optimal_frequency(confidence_level=LEVEL))}"
        )
    if task.brand:
        console.say(f"\n{brand_text(model.brand_effects(confidence_level=LEVEL))}")
    if task.pairs:
        pairs = model.synergy_summary(confidence_level=LEVEL)
        console.say(f"\n{synergy_text(pairs)}")
    if len(task.media) > 1:
        console.say(f"\n{graph_text(model.channel_graph())}")
    if skill is not None:
        console.say(f"\n{skill_text(task, skill)}")
    console.say(f"\nWritten to {out}:\n  {'  '.join(files)}")
    if removed:
        console.say(f"Removed, of an earlier fit:\n  {'  '.join(removed)}")
    return model, skill


def _announce(console, task, args):
    """Say what was read, once its results can be written."""
    make_room(args)
    console.say(f"skmmm {__version__}\n\n{describe(task)}\n")


def _fit(console, task, args, **options):
    model = DeepCausalMMMRegressor(
        **task.roles,
        population=task.population,
        n_draws=args.draws,
        max_lag=args.max_lag,
        adstock=args.adstock,
        media_cost=task.media_cost,
        frequency=task.frequency,
        brand_channels=task.brand,
        synergies=task.pairs,
        priors=args.prior,
        experiments=task.experiments,
        max_iter=args.max_iter,
        random_state=args.seed,
        **options,
    )
    tests = "" if task.experiments is None else " with experiments"
    with console.stage(f"Fitting the model{tests}", fits=True):
        return console.fit(model, task.X, task.y)


def _changes(console, earlier, model, n_jobs):
    """Return why returns are others than in an earlier model; None without one."""
    if earlier is None:
        return None
    n_fits = refits_needed(earlier, model)
    fits = f", {counted(n_fits, 'fit')} without draws" if n_fits else ""
    with console.stage(f"Comparing with the earlier model{fits}"):
        return compare_models(earlier, model, confidence_level=LEVEL, n_jobs=n_jobs)


def _report(console, model, X, y, path, skill, title=None, previous=None):
    from skmmm.report import make_report

    with console.stage("Writing the report"):
        make_report(
            model,
            X,
            y,
            path,
            skill=skill,
            previous=previous,
            title=title,
            confidence_level=LEVEL,
        )
    console.say(f"\nOpen {path} in a browser.")


def _refuse_settings(args):
    """Raise if something is said that a fitted model knows already."""
    usual = parse(["report", args.data, "--kpi", args.kpi])
    # Fits again, to compare with an earlier model, may go side by side.
    known = (*_NOT_OF_A_FIT, *(["jobs"] if args.previous is not None else []))
    for name, value in vars(args).items():
        if name not in known and value != getattr(usual, name):
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} is for a fit; with --model leave it out")
