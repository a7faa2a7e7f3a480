"""``python -m nequi_lake_tests.fuzz``: many random cases; prints how many of each kind, and what came of them."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import Counter

from hypothesis import HealthCheck, Phase, given, seed, settings

from nequi_lake_tests.fuzz.kinds import KINDS
from nequi_lake_tests.fuzz.outcomes import COUNTS

BATCH = 200


def main() -> int:
    """Try so many cases of each kind; fails with the smallest case found where one is not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m nequi_lake_tests.fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=1000, help="cases of each kind to try")
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS), help="kinds of cases")
    parser.add_argument("--seconds", type=float, default=math.inf, help="end after so many, whatever was done")
    parser.add_argument("--seed", type=int, default=0, help="of the cases")
    chosen = parser.parse_args()
    began, done = time.monotonic(), Counter[str]()
    while (
        kinds := [kind for kind in chosen.kinds if done[kind] < chosen.examples]
    ) and time.monotonic() < began + chosen.seconds:
        for kind in kinds:
            examples = min(BATCH, chosen.examples - done[kind])
            _try(kind, examples, f"{chosen.seed}-{done[kind]}")
            done[kind] += examples
            sys.stderr.write(f"{done[kind]} cases of a {kind}, {time.monotonic() - began:.0f} s\n")
    lines = [(f"cases: {kind}", count) for kind, count in done.items()]
    lines += [(f"  {what}", count) for what, count in sorted(COUNTS.items())]
    sys.stdout.write("".join(f"{what:<48}{count:>8}\n" for what, count in lines))
    return 0


def _try(kind: str, examples: int, of_seed: str) -> None:
    @seed(of_seed)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=KINDS[kind].cases)
    def every_case(case: object) -> None:
        KINDS[kind].check(case)

    every_case()


if __name__ == "__main__":
    sys.exit(main())
