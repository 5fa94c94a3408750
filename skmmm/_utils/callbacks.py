"""scikit-learn's callbacks (1.9 and later), with a printed line before them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn < 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]  # one or the other
        """Stands in for the mixin of scikit-learn 1.9: no callbacks."""

    def with_callbacks(method: Callable) -> Callable:
        """Stand in for the decorator of scikit-learn 1.9."""
        return method


@contextmanager
def fit_progress(
    estimator: Any, X: Any, y: Any, current_state: Callable[[], dict[str, Any]]
) -> Iterator[Callable[[float], bool]]:
    """Report every iteration of a fit to callbacks and, if verbose, in print.

    `current_state` returns the fitted attributes as if the fit had stopped now. Yields
    a function of the loss that returns whether a callback asks to stop.
    """
    context = None
    if hasattr(estimator, "_init_callback_context"):
        context = estimator._init_callback_context(max_subtasks=estimator.max_iter)
        context.call_on_fit_task_begin(estimator=estimator, X=X, y=y)
    n_done = 0

    def on_iteration(loss: float) -> bool:
        nonlocal n_done
        n_done += 1
        if estimator.verbose and n_done % max(1, 50 // estimator.verbose) == 0:
            print(f"iteration {n_done}: loss {loss:.6f}")
        if context is None:
            return False
        task = context.subcontext(task_name="iteration")
        task.call_on_fit_task_begin(estimator=estimator, X=X, y=y)
        return task.call_on_fit_task_end(
            estimator=estimator, X=X, y=y, reconstruction_attributes=current_state
        )

    yield on_iteration
    if context is not None:
        context.call_on_fit_task_end(
            estimator=estimator, X=X, y=y, reconstruction_attributes=current_state
        )


@contextmanager
def group_tasks(
    estimator: Any, X: Any, y: Any, n_groups: int
) -> Iterator[Sequence[Any]]:
    """Report a fit to callbacks that consists of one fit per group.

    Yields the context of each group for `fit_group`, None without callbacks.
    """
    both = estimator, estimator.estimator
    if not any(getattr(one, "_skl_callbacks", ()) for one in both):
        yield [None] * n_groups
        return
    context = estimator._init_callback_context(
        max_subtasks=n_groups, sequential_subtasks=False
    )
    context.call_on_fit_task_begin(estimator=estimator, X=X, y=y)
    # Before any of them is sent to another process, which writes to the estimator.
    yield [context.subcontext(task_name="group", task_id=g) for g in range(n_groups)]
    context.call_on_fit_task_end(estimator=estimator, X=X, y=y)


def fit_group(task: Any, estimator: Any, X: Any, y: Any, **options: Any) -> None:
    """Fit the estimator of one group; callbacks of all groups hear of it."""
    if task is None:
        estimator.fit(X, y, **options)
        return
    context, whole = task
    with context.propagate_callback_context(estimator):
        context.call_on_fit_task_begin(estimator=whole, X=X, y=y)
        estimator.fit(X, y, **options)
    context.call_on_fit_task_end(estimator=whole, X=X, y=y)
