"""``make bench``: measures the lake and its peers in turn, and writes the document."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import inputs, machine, report
from benchmarks.bars import judge
from benchmarks.cases import LAKE, Case, Group, groups, publish, publish_star, scale_of_small_lake, small_lake
from benchmarks.equal import Written, differences, rows_of, size_of, written_in
from benchmarks.measure import ROOT, CommandFailedError, Run, measure, medians
from benchmarks.server import Databases, loaded_in
from nequi_lake.lake.declared import discover

_LONG_S = 60
"""Seconds of a run from which one is enough."""
_INTERRUPTED = 130
_FULL_SIZE_BYTES = 460 * 10**6


class UnequalWorkError(Exception):
    """A peer wrote something else than the lake."""


class Bench:
    """One run of the benchmarks.

    Args:
        todo: what to measure.
        runs: how often, at most.
        folder: an empty folder for all that is written.
        databases: what is loaded into.
    """

    def __init__(self, todo: Sequence[Group], runs: int, folder: Path, databases: Databases) -> None:
        self.measured: dict[str, dict[str, list[Run]]] = {}
        self.sizes: dict[tuple[str, str], int] = {}
        self._todo = todo
        self._runs = runs
        self.rows: dict[tuple[str, str], int] = {}
        self._folder = folder
        self._databases = databases
        self._tables = [table.name for table in discover()["credit_risk"].tables]
        self._wrote: dict[str, Written] = {}

    def run(self) -> None:
        """Measure everything.

        Raises:
            CommandFailedError: a case failed.
            UnequalWorkError: a peer did other work than the lake.
        """
        for group in self._todo:
            for number in range(1, self._runs + 1):
                for case in group.cases:
                    self._measure(group, case, number)

    def _measure(self, group: Group, case: Case, number: int) -> None:
        runs = self.measured.setdefault(group.name, {}).setdefault(case.name, [])
        if runs and runs[0].seconds > _LONG_S:
            return
        with self._fresh() as folder:
            command = case.prepare(folder)
            if group.scale is not None:
                inputs.warm(inputs.sample(group.scale))
            runs.append(measure(command.line, command.environment))
            tell(
                f"{group.name} {number}/{self._runs}  {case.name}: {runs[-1].seconds:.2f} s, "
                f"{runs[-1].peak_bytes / 10**9:.2f} GB"
            )
            if case.out and number == 1:
                self.sizes[group.name, case.name] = size_of(folder / case.out, self._tables)
                self._compare(group, case, written_in(folder / case.out, self._tables))
            if case.database and number == 1:
                loaded = loaded_in(self._databases.address(case.database))
                self.rows[group.name, case.name] = rows_of(loaded)
                self._compare(group, case, loaded)

    def _compare(self, group: Group, case: Case, wrote: Written) -> None:
        if case.name == LAKE:
            self._wrote[group.name] = wrote
        unequal = list(differences(self._wrote[group.name], wrote))
        if unequal:
            raise UnequalWorkError(f"{case.name} did other work than the lake: " + "; ".join(unequal[:5]))

    @contextmanager
    def _fresh(self) -> Iterator[Path]:
        folder = self._folder / "run"
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


def tell(line: str) -> None:
    """Show progress."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line, read."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--scale", type=float, default=1, help="size of the sample; 1 is the size on Kaggle")
    parser.add_argument("--growth", type=float, nargs=2, default=(5, 10), help="how many times that size is tried too")
    parser.add_argument("--runs", type=int, default=5, help="runs of each; one where a run takes over a minute")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="groups, or cases by part of their names")
    parser.add_argument("--quick", action="store_true", help="try the harness: tiny, once, and no other environments")
    parser.add_argument("--document", type=Path, help="where to write; docs/performance.md if all was measured")
    chosen = parser.parse_args(arguments)
    if chosen.quick:
        chosen.scale, chosen.growth, chosen.runs = 0.001, (2, 4), 1
    whole = not chosen.quick and not chosen.only
    chosen.document = chosen.document or (ROOT / "docs" if whole else inputs.CACHE) / "performance.md"
    chosen.growth = tuple(chosen.growth)
    return chosen


def chosen_groups(everything: Sequence[Group], only: Sequence[str], *, quick: bool) -> list[Group]:
    """The groups with those of their cases that are wanted, the lake always among them."""
    found = []
    for group in everything:
        cases = tuple(
            case
            for case in group.cases
            if not (quick and case.environment)
            and (not only or group.name in only or any(word.lower() in case.name.lower() for word in only))
        )
        usual = [case for case in group.cases if case.name == LAKE or (group.rows and case == group.cases[0])]
        cases = (*(case for case in usual if cases and case not in cases), *cases)
        if cases:
            found.append(replace(group, cases=cases))
    return found


def main(arguments: Sequence[str]) -> None:
    """Measure, judge and write."""
    chosen = options(arguments)
    inputs.CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=inputs.CACHE, prefix="work-") as work, ExitStack() as stack:
        lake = Path(work) / "lake"
        databases = Databases(Path(tempfile.gettempdir(), f"{Path(work).name}-postgres"))
        stack.callback(databases.stop)
        everything = groups(chosen.scale, chosen.growth, inputs.sample, lake, databases)
        todo = chosen_groups(everything, chosen.only, quick=chosen.quick)
        if not todo:
            raise SystemExit(f"Nothing is called {', '.join(chosen.only)}; there are {[g.name for g in everything]}.")
        _prepare(todo, chosen.scale, lake)
        bench = Bench(todo, chosen.runs, Path(work), databases)
        started = time.monotonic()
        bench.run()
        tell(f"Measured in {(time.monotonic() - started) / 60:.1f} min")
    results = {group: {case: medians(runs) for case, runs in cases.items()} for group, cases in bench.measured.items()}
    measured = report.Measured(
        groups=todo,
        results=results,
        runs={(group, case): len(runs) for group, cases in bench.measured.items() for case, runs in cases.items()},
        sizes=bench.sizes,
        rows=bench.rows,
        verdicts=list(judge(results, chosen.growth)),
        facts=machine.facts(),
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        command=" ".join(["make bench", *([f'BENCH="{" ".join(arguments)}"'] if arguments else [])]),
    )
    block = report.text(measured)
    report.put(chosen.document, block)
    picture = chosen.document.parent / "img" / "performance.svg"
    picture.parent.mkdir(exist_ok=True)
    picture.write_text(report.chart(measured))
    sys.stdout.write(f"{block}\nWritten into {chosen.document} and {picture}\n")


def _prepare(todo: Sequence[Group], scale: float, lake: Path) -> None:
    """Make what is read, and the environments, before anything is measured."""
    sizes = sorted({group.scale for group in todo if group.scale is not None})
    # The inputs, the copy that a lake keeps of the largest, and the tables.
    needed = int((sum(sizes) + 1.5 * max(sizes, default=0)) * _FULL_SIZE_BYTES)
    free = shutil.disk_usage(inputs.CACHE).free
    if free < needed:
        raise SystemExit(f"This needs {needed / 10**9:.0f} GB of disk, and {free / 10**9:.0f} GB are free: see --only.")
    for size in sizes:
        tell(f"sample at scale {size:g} …")
        inputs.sample(size)
    for environment in sorted({case.environment for group in todo for case in group.cases if case.environment}):
        tell(f"environment {environment} …")
        inputs.python_of(environment)
    names = {group.name for group in todo}
    with_star = names & {"star", "warehouse-all", "warehouse-star"}
    commands = [publish(inputs.sample(scale), lake)] * bool(with_star | names & {"profile"})
    commands += [publish_star(inputs.sample(scale), lake)] * bool(with_star)
    commands += [publish(inputs.sample(scale_of_small_lake(scale)), small_lake(lake))] * ("warehouse" in names)
    for command in commands:
        tell("a lake to ask …")
        measure(command.line, command.environment)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        tell("Stopped; nothing was written.")
        sys.exit(_INTERRUPTED)
    except (CommandFailedError, UnequalWorkError) as failure:
        tell(str(failure))
        sys.exit(1)
