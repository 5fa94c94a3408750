"""Tables for coming periods, and what one plan of spend brings against another."""

from skmmm.scenarios._compare import compare_scenarios
from skmmm.scenarios._future import make_future_frame

__all__ = ["compare_scenarios", "make_future_frame"]
