"""Kills runs of a lake at random moments while another process reads it, and counts what should not have been seen."""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nequi_lake import Lake
from nequi_lake.datasets.spec import Dataset
from nequi_lake.lake.settings import Settings
from nequi_lake_tests.chaos.forks import BETWEEN, PHASES, Child, answer_of, fork, import_what_it_imports, tell_phases
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

RELEASES = ("A", "B")


@dataclass
class Summary:
    """What came of it.

    Attributes:
        kills: phase → runs that were killed in it.
        finished: runs that were done before they were to be killed.
        rounds: lakes, each of which an undisturbed run brought into the reference's state, or did not.
        reads: looks at a lake with tables, each of all of them in every way.
        violations: what should not have been seen.
        elapsed_s: how long it took.
    """

    kills: Counter[str] = field(default_factory=Counter)
    finished: int = 0
    rounds: int = 0
    reads: int = 0
    violations: list[str] = field(default_factory=list)
    elapsed_s: float = 0.0

    def as_dict(self) -> dict[str, object]:
        """The summary as JSON has it."""
        return {**vars(self), "kills": dict(self.kills), "killed": self.kills.total()}

    def as_text(self) -> str:
        """The summary as a table for a person."""
        rows: list[tuple[str, object]] = [("kills", self.kills.total())]
        rows += [(f"  {phase}", self.kills[phase]) for phase in (*PHASES, BETWEEN)]
        rows += [("runs done before their kill", self.finished), ("lakes", self.rounds)]
        rows += [("reads", self.reads), ("violations", len(self.violations)), ("seconds", f"{self.elapsed_s:.0f}")]
        return "\n".join([f"{name:<28}{value:>8}" for name, value in rows] + self.violations)


@dataclass
class Undisturbed:
    """A run that nobody killed.

    Attributes:
        elapsed_s: how long it took.
        phases: each phase that it came into, which time it was, and how long it stayed.
    """

    elapsed_s: float
    phases: list[tuple[str, int, float]]


class Harness:
    """Lakes in a folder or in a bucket, and runs of them that are killed.

    Args:
        folder: an empty folder.
        seed: of the kills' moments.
        tell: is told of the progress.
        bucket: an empty bucket for the lakes that are killed; they are in the folder by default.
        datasets: what the lakes hold.
    """

    def __init__(
        self,
        folder: Path,
        seed: int,
        tell: Callable[[str], None] = lambda _: None,
        *,
        bucket: str | None = None,
        datasets: Mapping[str, Dataset] = DATASETS,
    ) -> None:
        self._folder = folder
        self._bucket = bucket
        self._datasets = datasets
        self._random = random.Random(seed)
        self._tell = tell
        self.summary = Summary()
        for release in RELEASES:
            write_inbox(folder / release, release)
        import_what_it_imports(lambda: self._reference_of(folder / "reference-imports", "A"))
        self.releases = {release: self._reference(release) for release in RELEASES}
        self._pace = self._timed(folder / "reference-pace")

    def run(self, kills: int, each: int, limit_s: float) -> Summary:
        """Kill so many runs, in lakes of ``each`` kills, or fewer where the time is up."""
        began = time.monotonic()
        while self.summary.kills.total() < kills and time.monotonic() < began + limit_s:
            self._round(min(each, kills - self.summary.kills.total()), began + limit_s)
            self.summary.elapsed_s = time.monotonic() - began
            self._tell(
                f"{self.summary.kills.total()} kills, {self.summary.reads} reads, "
                f"{len(self.summary.violations)} violations, {self.summary.elapsed_s:.0f} s"
            )
        return self.summary

    def _round(self, kills: int, ends: float) -> None:
        self.summary.rounds += 1
        lake = self._folder / f"lake-{self.summary.rounds}"
        lake.mkdir()
        stop = self._folder / f"stop-{self.summary.rounds}"
        reader = fork(lambda say: self._read(lake, stop, say))
        done = self.summary.kills.total() + kills
        try:
            while self.summary.kills.total() < done and time.monotonic() < ends:
                self._kill_one(lake)
            last = self._random.choice(RELEASES)
            child = self._start(lake, last)
            if child.wait():
                self.summary.violations.append(f"{lake.name}: an undisturbed run failed")
        finally:
            stop.touch()
            failed = reader.wait()
        if failed or not reader.heard:
            self.summary.violations.append(f"{lake.name}: the reader broke off")
        else:
            told = json.loads(reader.heard[-1][1])
            self.summary.reads += told["reads"]
            self.summary.violations += [f"{lake.name}: {wrong}" for wrong in told["violations"]]
        wrongs = answer_of(lambda: self._state(lake, last))
        self.summary.violations += [f"{lake.name}, after an undisturbed run: {wrong}" for wrong in wrongs]

    def _kill_one(self, lake: Path) -> None:
        child = self._start(lake, self._random.choice(RELEASES))
        if self._random.random() < 0.5:
            child.listen(time.monotonic() + self._random.uniform(0, self._pace.elapsed_s))
        else:
            # Short phases would hardly ever be hit by chance.
            phase = self._random.choice(list(PHASES))
            _, turn, long_s = self._random.choice([p for p in self._pace.phases if p[0] == phase])
            met: Counter[str] = Counter()

            def is_it(line: str) -> bool:
                met[line] += 1
                return line == phase and met[line] == turn

            if child.listen(stop=is_it):
                # Sooner rather than later, for it may end sooner than it did.
                child.listen(time.monotonic() + long_s * self._random.random() ** 2)
        child.kill()
        if child.wait() < 0:
            self.summary.kills[child.phase] += 1
        else:
            self.summary.finished += 1

    def _start(self, lake: Path, release: str) -> Child:
        def work(say: Callable[[str], None]) -> None:
            tell_phases(say)
            run_lake(self._settings(lake, self._folder / release), self._datasets)

        return fork(work)

    def _settings(self, lake: Path, inbox: Path) -> Settings:
        return settings_of(lake, inbox, self._bucket)

    def _read(self, lake: Path, stop: Path, say: Callable[[str], None]) -> None:
        watcher = Watcher(Lake(self._settings(lake, lake), self._datasets), self.releases)
        parent, reads, violations = os.getppid(), 0, []
        while not stop.exists() and os.getppid() == parent:
            violations += watcher.look()
            reads += bool(watcher.seen)
        say(json.dumps({"reads": reads, "violations": violations}))

    def _state(self, lake: Path, release: str) -> list[str]:
        watcher = Watcher(Lake(self._settings(lake, lake), self._datasets), self.releases)
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

    def _timed(self, lake: Path) -> Undisturbed:
        lake.mkdir()
        began = time.monotonic()
        child = self._start(lake, "A")
        if child.wait():
            raise RuntimeError("an undisturbed run failed")
        turns: Counter[str] = Counter()
        phases = []
        for (entered, phase), (left, _) in zip(child.heard, child.heard[1:], strict=False):
            if phase != BETWEEN:
                turns[phase] += 1
                phases.append((phase, turns[phase], left - entered))
        return Undisturbed(time.monotonic() - began, phases)
