"""``python -m nequi_lake_tests.fuzz``: many damaged files; prints how many, and what came of them."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import Counter
from unittest import mock

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from nequi_lake_tests.fuzz import cases

BATCH = 500


def main() -> int:
    """Try so many damaged files; exit code 1, and the smallest case found, where one is neither refused nor accounted
    for."""
    parser = argparse.ArgumentParser(prog="python -m nequi_lake_tests.fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=5000, help="damaged files to try")
    parser.add_argument("--seconds", type=float, default=math.inf, help="end after so many, whatever was done")
    parser.add_argument("--seed", type=int, default=0, help="of the damage")
    chosen = parser.parse_args()
    came: Counter[str] = Counter()
    began, done = time.monotonic(), 0

    with mock.patch.object(cases, "event", lambda what: came.update([what])):
        while done < chosen.examples and time.monotonic() < began + chosen.seconds:
            examples = min(BATCH, chosen.examples - done)

            @seed(f"{chosen.seed}-{done}")
            @settings(
                max_examples=examples,
                deadline=None,
                database=None,
                phases=[Phase.generate, Phase.shrink],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=cases.CASES, packed=st.booleans())
            def every_case(case: cases.Case, packed: bool) -> None:
                cases.is_refused_or_accounted_for(case)
                cases.a_zip_is_refused_or_gives_what_was_put_in(case, packed)

            every_case()
            done += examples
            sys.stderr.write(f"{done} cases, {time.monotonic() - began:.0f} s\n")
    lines = [f"{what:<40}{count:>8}" for what, count in sorted(came.items())]
    sys.stdout.write("\n".join([f"{'cases':<40}{done:>8}", *lines]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
