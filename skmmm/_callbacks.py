"""scikit-learn's callbacks (1.9 and later), with a printed line before them."""

from contextlib import contextmanager

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn < 1.9

    class CallbackSupportMixin:
        """Stands in for the mixin of scikit-learn 1.9: no callbacks."""

    def with_callbacks(method):
        """Stand in for the decorator of scikit-learn 1.9."""
        return method


@contextmanager
def fit_progress(estimator, X, y, current_state):
    """Report every iteration of a fit to callbacks and, if verbose, in print.

    Parameters
    ----------
    estimator : estimator with `max_iter` and `verbose`
    X, y : the training data as the user passed them
    current_state : callable
        Returns the fitted attributes as if the fit had stopped now.

    Yields
    ------
    on_iteration : callable
        Takes the loss; returns True if a callback asks to stop.
    """
    context = None
    if hasattr(estimator, "_init_callback_context"):
        context = estimator._init_callback_context(max_subtasks=estimator.max_iter)
        context.call_on_fit_task_begin(estimator=estimator, X=X, y=y)
    n_done = 0

    def on_iteration(loss):
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
