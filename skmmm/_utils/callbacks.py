"""scikit-learn's callbacks (1.9 and later), with a printed line before them."""

from collections.abc import Callable, Iterator
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
