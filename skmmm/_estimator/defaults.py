"""Defaults of the regressor that the command line has as well."""

from skmmm._model import Adstock

MAX_LAG = 13
ADSTOCK: Adstock = "weibull"
N_DRAWS = 64
MAX_ITER = 400
