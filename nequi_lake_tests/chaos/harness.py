"""Kills runs of lakes at random moments while another process reads them, and counts what should not have been seen."""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from nequi_lake import Lake
from nequi_lake.datasets.spec import Dataset
from nequi_lake.defs import failures
from nequi_lake_tests.chaos.forks import BETWEEN, answer_of, fork, import_what_it_imports
from nequi_lake_tests.chaos.lakes import (
    DATASETS,
    Content,
    Watcher,
    content_of,
    expected_rows,
    leftovers,
    run_lake,
    settings_of,
    write_inbox,
)
from nequi_lake_tests.chaos.rounds import MOVES, RELEASES, WEIGHTS, Round, Summary, Undisturbed


class Harness:
    """Lakes in a folder or in a bucket, and what is done to them.

    Args:
        folder: an empty folder.
        seed: of what is done, and of the kills' moments.
        tell: is told of the progress.
        bucket: an empty bucket for the lakes that are killed; they are in the folder by default.
        storm: a path at which a file makes the bucket's server fail at random; None where it cannot be made to.
        datasets: what the lakes hold.
        moves: what may be done to them.
    """

    def __init__(
        self,
        folder: Path,
        seed: int,
        tell: Callable[[str], None] = lambda _: None,
        *,
        bucket: str | None = None,
        storm: Path | None = None,
        datasets: Mapping[str, Dataset] = DATASETS,
        moves: Sequence[str] = tuple(MOVES),
    ) -> None:
        self._folder = folder
        self._bucket = bucket
        self._storm = storm
        self._datasets = datasets
        self._moves = moves
        self._random = random.Random(seed)
        self._tell = tell
        self.summary = Summary()
        failures.RETRY_WAIT_S = 0.1
        for release in RELEASES:
            write_inbox(folder / release, release)
        import_what_it_imports(lambda: self._reference_of(folder / "reference-imports", "A"))
        self.releases = {release: self._reference(release) for release in RELEASES}
        self._pace = Undisturbed(0.0, [])
        self._pace = self._timed("reference-pace")

    def run(self, kills: int, each: int, limit_s: float) -> Summary:
        """Kill so many runs, in lakes of ``each`` kills, or fewer where the time is up."""
        began = time.monotonic()
        while self.summary.kills.total() < kills and time.monotonic() < began + limit_s:
            self._round(min(each, kills - self.summary.kills.total()), began + limit_s)
            self.summary.elapsed_s = time.monotonic() - began
            self._tell(
                f"{self.summary.kills.total()} kills, {self.summary.reads} reads, "
                f"{self.summary.violations.total()} violations, {self.summary.elapsed_s:.0f} s"
            )
        return self.summary

    def _round(self, kills: int, ends: float) -> None:
        self.summary.rounds += 1
        at = self._begin(f"lake-{self.summary.rounds}")
        stop = self._folder / f"stop-{self.summary.rounds}"
        reader = fork(lambda say: self._read(at, stop, say))
        done = self.summary.kills.total() + kills
        try:
            while self.summary.kills.total() < done and time.monotonic() < ends:
                if self._storm and self._random.random() < 0.5:
                    self._storm.touch()
                (move,) = self._random.choices(self._moves, [WEIGHTS.get(move, 1) for move in self._moves])
                at.move(move)
                if self._storm:
                    self._storm.unlink(missing_ok=True)
            last = self._random.choice(RELEASES)
            at.end(at.start(last), "an undisturbed run")
        finally:
            stop.touch()
            failed = reader.wait()
        if failed or not reader.heard:
            at.violated("the reader broke off")
        else:
            told = json.loads(reader.heard[-1][1])
            self.summary.reads += told["reads"]
            self.summary.reads_refused += told["refused"]
            for wrong in told["violations"]:
                at.violated(wrong)
        for wrong in answer_of(lambda: self._state(at, last)):
            at.violated(f"after an undisturbed run: {wrong}")

    def _begin(self, name: str) -> Round:
        (self._folder / name).mkdir()
        return Round(
            lake=self._folder / name,
            inboxes=self._folder,
            datasets=self._datasets,
            bucket=self._bucket,
            storm=self._storm,
            pace=self._pace,
            random=self._random,
            summary=self.summary,
        )

    def _read(self, at: Round, stop: Path, say: Callable[[str], None]) -> None:
        watcher = Watcher(at.opened(), self.releases, at.may_refuse)
        parent, reads, violations = os.getppid(), 0, []
        while not stop.exists() and os.getppid() == parent:
            violations += watcher.look()
            reads += bool(watcher.seen)
        say(json.dumps({"reads": reads - watcher.refused, "refused": watcher.refused, "violations": violations}))

    def _state(self, at: Round, release: str) -> list[str]:
        watcher = Watcher(at.opened(), self.releases)
        wrong = watcher.look()
        if watcher.seen != dict.fromkeys(self._datasets, release):
            wrong.append(f"it was run with {release}, and has {watcher.seen}")
        return wrong + leftovers(watcher.lake)

    def _reference(self, release: str) -> Content:
        content: Content = answer_of(lambda: self._reference_of(self._folder / f"reference-{release}", release))
        rows = {dataset: {name: table[0] for name, table in tables.items()} for dataset, tables in content.items()}
        if rows != {name: expected_rows(release)[name] for name in self._datasets}:
            raise RuntimeError(f"release {release} has {rows}")
        return content

    def _reference_of(self, lake: Path, release: str) -> Content:
        settings = settings_of(lake, self._folder / release)
        run_lake(settings, self._datasets)
        return content_of(Lake(settings, self._datasets).tables())

    def _timed(self, name: str) -> Undisturbed:
        began = time.monotonic()
        child = self._begin(name).start("A")
        if child.wait():
            raise RuntimeError("an undisturbed run failed")
        turns: Counter[str] = Counter()
        phases = []
        for (entered, phase), (left, _) in zip(child.heard, child.heard[1:], strict=False):
            if phase != BETWEEN:
                turns[phase] += 1
                phases.append((phase, turns[phase], left - entered))
        return Undisturbed(time.monotonic() - began, phases)
