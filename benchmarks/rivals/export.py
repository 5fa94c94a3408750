"""Write problems as CSV, for contenders that live in an environment of their own.

python benchmarks/rivals/export.py FOLDER --worlds clean,small --seeds 0-1

Worlds are those of `bench_recovery.py` and of `cause_worlds.py`.
"""

import argparse
import json
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench_recovery import make_problem, read_seeds
from cause_worlds import WORLDS as CAUSE_WORLDS
from preset_worlds import PUBLIC_SEED


def export(problem, folder):
    """Write one problem into a folder of its own."""
    folder = folder / f"{problem.name}_{problem.seed}"
    folder.mkdir(parents=True, exist_ok=True)
    problem.X.to_csv(folder / "X.csv", index=False)
    problem.y.to_csv(folder / "y.csv", index=False)
    problem.truth.to_csv(folder / "truth.csv", index=False)
    (folder / "roles.json").write_text(json.dumps(problem.roles))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--worlds", default="clean,small", help="names, by comma")
    parser.add_argument("--seeds", type=read_seeds, default=[0], help="as 0-7")
    options = parser.parse_args()
    for world in options.worlds.split(","):
        public = world.startswith("public_")
        for seed in [PUBLIC_SEED] if public else options.seeds:
            make = CAUSE_WORLDS.get(world, partial(make_problem, world))
            export(make(seed), options.folder)


if __name__ == "__main__":
    main()
