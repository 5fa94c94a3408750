"""What is printed: lines, and a progress bar on a terminal."""

import sys
from contextlib import contextmanager
from time import perf_counter


class Console:
    """Prints, unless quiet; on a terminal fits get a progress bar."""

    def __init__(self, quiet):
        self.quiet = quiet
        self.bar = None if quiet or not sys.stdout.isatty() else progress_bar()

    def say(self, text="", end="\n"):
        """Print, whatever letters the terminal knows."""
        if not self.quiet:
            encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
            text = text.encode(encoding, "replace").decode(encoding)
            print(text, end=end, flush=True)

    @contextmanager
    def stage(self, text, *, fits=False):
        """Print what is done now, and how long it took, which a fit's bar shows."""
        bar = fits and self.bar is not None
        self.say(text, end="\n" if bar else " ... ")
        start = perf_counter()
        done = ""
        try:
            yield
            done = f"{perf_counter() - start:.1f} s"
        finally:
            if not bar:
                self.say(done)

    def fit(self, model, X, y):
        """Fit under the progress bar."""
        if self.bar is None:
            return model.fit(X, y)
        # Take the bar off again: it is no part of the model.
        return model.set_callbacks(self.bar).fit(X, y).set_callbacks()


def progress_bar():
    """Return scikit-learn's progress bar; None before 1.9 and without rich."""
    try:
        from sklearn.callback import ProgressBar

        return ProgressBar()
    except ImportError:
        return None
