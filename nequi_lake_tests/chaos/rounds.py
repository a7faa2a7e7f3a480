"""A lake whose runs are killed: what is done to it, one thing after another, at random."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from nequi_lake import Lake
from nequi_lake.datasets.spec import Dataset
from nequi_lake.lake.settings import Settings
from nequi_lake_tests.chaos import mishaps
from nequi_lake_tests.chaos.forks import BETWEEN, PHASES, Child, answer_of, fork, tell_phases
from nequi_lake_tests.chaos.lakes import refusal_of_run, run_lake, settings_of

RELEASES = ("A", "B")
_SHORT_S = 0.4
"""About how long maintenance, or a catalog's rebuild, takes."""
_CLOCKS_DAYS = (-400, -1, -0.01, 0.01, 1, 400)


@dataclass
class Summary:
    """What came of it.

    Attributes:
        kills: phase → runs that were killed in it.
        moves: what was done to the lakes → how often.
        finished: runs that were done before they were to be killed.
        refused: runs that were refused in words, as they had to be where the catalog was harmed or the network bad.
        rounds: lakes, each of which an undisturbed run brought into the reference's state, or did not.
        reads: looks at a lake with tables, each of all of them in every way.
        reads_refused: looks that were refused in words, while the catalog was harmed or the network bad.
        violations: what should not have been seen → how often it was.
        elapsed_s: how long it took.
    """

    kills: Counter[str] = field(default_factory=Counter)
    moves: Counter[str] = field(default_factory=Counter)
    finished: int = 0
    refused: int = 0
    rounds: int = 0
    reads: int = 0
    reads_refused: int = 0
    violations: Counter[str] = field(default_factory=Counter)
    elapsed_s: float = 0.0

    def as_dict(self) -> dict[str, object]:
        """The summary as JSON has it."""
        counters = {name: dict(found) for name, found in vars(self).items() if isinstance(found, Counter)}
        return {**vars(self), **counters, "killed": self.kills.total()}

    def as_text(self) -> str:
        """The summary as a table for a person."""
        phases = (*PHASES, BETWEEN, mishaps.MAINTAIN, mishaps.REBUILD)
        rows: list[tuple[str, object]] = [("kills", self.kills.total())]
        rows += [(f"  {phase}", self.kills[phase]) for phase in phases]
        rows += [("what was done", self.moves.total()), *((f"  {name}", n) for name, n in sorted(self.moves.items()))]
        rows += [("runs done before their kill", self.finished), ("runs refused in words", self.refused)]
        rows += [("lakes", self.rounds), ("reads", self.reads), ("reads refused in words", self.reads_refused)]
        rows += [("violations", self.violations.total()), ("seconds", f"{self.elapsed_s:.0f}")]
        wrongs = [f"{count} times: {wrong}" for wrong, count in self.violations.items()]
        return "\n".join([f"{name:<30}{value:>8}" for name, value in rows] + wrongs)


@dataclass
class Undisturbed:
    """A run that nobody killed.

    Attributes:
        elapsed_s: how long it took.
        phases: each phase that it came into, which time it was, and how long it stayed.
    """

    elapsed_s: float
    phases: list[tuple[str, int, float]]


@dataclass
class Round:
    """A lake, and what is done to it.

    Attributes:
        lake: its folder; that of its catalog, where it is in a bucket.
        inboxes: holds the raw files of each release in a folder of its own.
        datasets: what it holds.
        bucket: the bucket that it is in; None where it is in the folder.
        storm: is there while the bucket's server fails at random; None where it never does.
        pace: how a run goes that nobody kills.
        random: decides.
        summary: of this lake and those before.
    """

    lake: Path
    inboxes: Path
    datasets: Mapping[str, Dataset]
    bucket: str | None
    storm: Path | None
    pace: Undisturbed
    random: random.Random
    summary: Summary

    @property
    def harmed(self) -> Path:
        """Is there while the catalog is not what it should be."""
        return self.lake / "harmed"

    @property
    def database(self) -> Path:
        """The catalog's database."""
        return self.lake / "catalog.db"

    @property
    def copy(self) -> Path:
        """An older copy of the database."""
        return self.lake / "older-copy"

    def may_refuse(self) -> bool:
        """Whether a run or a reader may be refused in words now."""
        return self.harmed.exists() or (self.storm is not None and self.storm.exists())

    def opened(self) -> Lake:
        """The lake, for reading."""
        return Lake(self.settings("A"), self.datasets)

    def settings(self, release: str) -> Settings:
        """The lake, to be filled with a release."""
        return settings_of(self.lake, self.inboxes / release, self.bucket)

    def violated(self, what: str) -> None:
        """Note what should not have been."""
        self.summary.violations[f"{self.lake.name}: {what}"] += 1

    def start(self, release: str, *, clock_days: float = 0.0, only: str | None = None) -> Child:
        """Begin a run."""
        datasets = {name: found for name, found in self.datasets.items() if only in (None, name)}

        def work(say: Callable[[str], None]) -> None:
            tell_phases(say)
            if clock_days:
                mishaps.set_clock(clock_days)
            if self.may_refuse():
                say_refusal = refusal_of_run(self.settings(release), datasets)
                if say_refusal:
                    say(f"{REFUSED}{say_refusal}")
            else:
                run_lake(self.settings(release), datasets)

        return fork(work)

    def end(self, child: Child, what: str) -> bool:
        """Hear out a run that nobody kills; whether it did its work."""
        if child.wait():
            self.violated(f"{what} failed")
            return False
        if child.phase.startswith(REFUSED):
            self.summary.refused += 1
            return False
        return True

    def kill(self, child: Child) -> None:
        """Kill a child where it is, and count it."""
        child.kill()
        code = child.wait()
        if code < 0:
            self.summary.kills[child.phase] += 1
        elif code:
            self.violated(f"a run that was to be killed failed before, in {child.phase}")
        else:
            self.summary.finished += 1

    def kill_soon(self, child: Child) -> None:
        """Kill a run at a random moment, or in a random phase: short ones would hardly ever be hit by chance."""
        if self.random.random() < 0.5:
            child.listen(time.monotonic() + self.random.uniform(0, self.pace.elapsed_s))
        else:
            phase = self.random.choice(list(PHASES))
            _, turn, long_s = self.random.choice([p for p in self.pace.phases if p[0] == phase])
            met: Counter[str] = Counter()

            def is_it(line: str) -> bool:
                met[line] += 1
                return line == phase and met[line] == turn

            if child.listen(stop=is_it):
                # Sooner rather than later, for it may end sooner than it did.
                child.listen(time.monotonic() + long_s * self.random.random() ** 2)
        self.kill(child)

    def move(self, name: str) -> None:
        """Do one thing to the lake."""
        self.summary.moves[name] += 1
        MOVES[name](self)
        if self.database.exists() and not self.harmed.exists() and self.random.random() < 0.3:
            self.copy.unlink(missing_ok=True)
            mishaps.copy_database(self.database, self.copy)


REFUSED = "refused: "


def kill_a_run(at: Round) -> None:
    """Kill a run."""
    at.kill_soon(at.start(at.random.choice(RELEASES)))


def kill_one_of_two(at: Round) -> None:
    """Kill one of two runs of a dataset that were begun at once; the other does its work."""
    dataset = at.random.choice(list(at.datasets))
    first, second = (at.start(release, only=dataset) for release in at.random.sample(RELEASES, 2))
    at.kill_soon(first)
    at.end(second, "the second of two runs at once")


def kill_with_a_wrong_clock(at: Round) -> None:
    """Kill a run of a machine whose clock is wrong."""
    at.kill_soon(at.start(at.random.choice(RELEASES), clock_days=at.random.choice(_CLOCKS_DAYS)))


def run_with_a_wrong_clock(at: Round) -> None:
    """Have a run of a machine whose clock is wrong do its work."""
    at.end(at.start(at.random.choice(RELEASES), clock_days=at.random.choice(_CLOCKS_DAYS)), "a run of a wrong clock")


def kill_maintenance(at: Round) -> None:
    """Kill the maintenance of the lake."""
    if at.database.exists():
        _kill_short(at, mishaps.maintain_lake)


def _kill_short(at: Round, work: Callable[[Lake, Callable[[str], None]], None]) -> None:
    child = fork(lambda say: work(at.opened(), say))
    child.listen(stop=lambda _: True)
    child.listen(time.monotonic() + at.random.uniform(0, _SHORT_S))
    at.kill(child)


def run_on_a_locked_catalog(at: Round) -> None:
    """Have a run do its work while another program has locked the catalog's database for some seconds."""
    if not at.database.exists():
        return
    other = fork(partial(mishaps.lock_database, at.database))
    other.listen(stop=lambda _: True)
    at.end(at.start(at.random.choice(RELEASES)), "a run on a locked catalog")
    other.wait()


def harm_the_catalog(at: Round) -> None:
    """Harm the catalog: commands refuse it, and a rebuild, killed on its way, brings everything back."""
    if not at.database.exists():
        return
    before = answer_of(lambda: mishaps.state_of(at.opened()))
    harm = at.random.choice([name for name in mishaps.HARMS if name != "set back" or at.copy.exists()])
    at.harmed.touch()
    mishaps.HARMS[harm](at.database, at.copy)
    behind = answer_of(lambda: mishaps.behind(at.opened()))
    refused_before = at.summary.refused
    child = at.start(at.random.choice(RELEASES))
    at.end(child, f"a run on a catalog that was {harm}")
    if behind and at.summary.refused == refused_before:
        at.violated(f"a run took a catalog that was {harm}")
    for _ in range(at.random.randint(0, 2)):
        _kill_short(at, mishaps.rebuild_catalog)
    if fork(lambda say: mishaps.rebuild_catalog(at.opened(), say)).wait():
        at.violated(f"the rebuild of a catalog that was {harm} failed")
    at.harmed.unlink()
    after = answer_of(lambda: mishaps.state_of(at.opened()))
    # The run before the rebuild may have gone on with the others.
    lost = [name for name in behind if before[name]["is_recorded"] and before[name] != after[name]]
    if lost:
        at.violated(f"a rebuild of a catalog that was {harm} did not bring back {lost}: {before} is {after}")


MOVES: Mapping[str, Callable[[Round], None]] = {
    "run killed": kill_a_run,
    "one of two runs killed": kill_one_of_two,
    "run of a wrong clock killed": kill_with_a_wrong_clock,
    "run of a wrong clock": run_with_a_wrong_clock,
    "maintenance killed": kill_maintenance,
    "catalog locked": run_on_a_locked_catalog,
    "catalog harmed": harm_the_catalog,
}
WEIGHTS: Mapping[str, int] = {"run killed": 3}
"""What is done more often than once in its turn."""
