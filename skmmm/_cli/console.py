"""What is printed: lines, and a progress bar on a terminal."""

import os
import sys
import warnings
from contextlib import contextmanager
from time import perf_counter

from skmmm._cli.advice import for_command_line


class Console:
    """Prints, unless quiet; on a terminal fits get a progress bar."""

    def __init__(self, quiet):
        self.quiet = quiet or sys.stdout is None
        self.bar = None if self.quiet or not sys.stdout.isatty() else progress_bar()
        self._in_a_line = False
        self._warned, self._to_warn = set(), []

    def say(self, text="", end="\n"):
        """Print, whatever letters the terminal knows."""
        if self.quiet:
            return
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        text = text.encode(encoding, "replace").decode(encoding)
        try:
            print(text, end=end, flush=True)
        except BrokenPipeError:  # the reader has seen enough; the files are still due
            self.quiet = True
            let_go_of_stdout()

    @contextmanager
    def stage(self, text, *, fits=False):
        """Print what is done now, and how long it took, which a fit's bar shows."""
        bar = fits and self.bar is not None
        self.say(text, end="\n" if bar else " ... ")
        start = perf_counter()
        done = ""
        self._in_a_line = True
        try:
            yield
            done = f"{perf_counter() - start:.1f} s"
        finally:
            if not bar:
                self.say(done)
            self._in_a_line = False
            while self._to_warn:
                complain(self._to_warn.pop(0))

    def fit(self, model, X, y):
        """Fit under the progress bar."""
        if self.bar is None:
            return model.fit(X, y)
        # Take the bar off again: it is no part of the model.
        return model.set_callbacks(self.bar).fit(X, y).set_callbacks()

    @contextmanager
    def warnings_in_lines(self):
        """Print every warning once, as one line between the others; none if quiet."""
        with warnings.catch_warnings():
            warnings.showwarning = self._warn
            yield

    def _warn(self, message, *_):
        text = f"warning: {one_line(message)}"
        if self.quiet or text in self._warned:
            return
        self._warned.add(text)
        if self._in_a_line:
            self._to_warn.append(text)
        else:
            complain(text)


def complain(text):
    """Print one line on stderr, if there is one, with options for what is Python."""
    if sys.stderr is None:
        return
    encoding = sys.stderr.encoding or "utf-8"
    said = for_command_line(one_line(text))
    line = f"skmmm: {said}".encode(encoding, "replace").decode(encoding)
    print(line, file=sys.stderr, flush=True)


def let_go_of_stdout():
    """Flush what was printed, to nowhere if nobody takes it."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def one_line(text):
    """Return a message without line breaks."""
    return " ".join(str(text).split())


def progress_bar():
    """Return scikit-learn's progress bar; None before 1.9 and without rich."""
    try:
        from sklearn.callback import ProgressBar

        return ProgressBar()
    except ImportError:
        return None
