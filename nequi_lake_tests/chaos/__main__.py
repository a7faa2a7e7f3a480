"""``python -m nequi_lake_tests.chaos``: exit code 1 where a reader saw what it should not have."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from nequi_lake_tests.chaos.buckets import a_bucket
from nequi_lake_tests.chaos.harness import Harness
from nequi_lake_tests.chaos.lakes import DATASETS
from nequi_lake_tests.chaos.rounds import MOVES
from nequi_lake_tests.conftest import only


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def main() -> int:
    """Kill runs and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m nequi_lake_tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="runs to kill")
    parser.add_argument("--each", type=int, default=20, help="kills before an undisturbed run and a new lake")
    parser.add_argument("--seconds", type=float, default=math.inf, help="end after so many, whatever was done")
    parser.add_argument("--seed", type=int, default=0, help="of the moments at which runs are killed")
    parser.add_argument("--bucket", action="store_true", help="lakes in a bucket, of moto or of the tests' server")
    parser.add_argument("--calm", action="store_true", help="moto never fails: no 503, cut answers or expired token")
    parser.add_argument("--datasets", nargs="+", choices=list(DATASETS), default=list(DATASETS), help="what they hold")
    parser.add_argument("--moves", nargs="+", choices=list(MOVES), default=list(MOVES), help="what is done to them")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    chosen = parser.parse_args()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-"))
        # A server that the environment names is asked as it is.
        has_storms = chosen.bucket and not chosen.calm and not os.environ.get("NEQUI_TEST_BUCKET_SERVER")
        storm = Path(folder, "storm") if has_storms else None
        bucket = stack.enter_context(a_bucket(storm)) if chosen.bucket else None
        harness = Harness(
            Path(folder),
            chosen.seed,
            _tell,
            bucket=bucket,
            storm=storm,
            datasets=only(*chosen.datasets),
            moves=chosen.moves,
        )
        summary = harness.run(chosen.kills, chosen.each, chosen.seconds)
    sys.stdout.write(json.dumps(summary.as_dict()) if chosen.json else summary.as_text())
    sys.stdout.write("\n")
    return 1 if summary.violations else 0


if __name__ == "__main__":
    sys.exit(main())
