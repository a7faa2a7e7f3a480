"""Files of sessions with spoiled, blank, repeated and damaged lines: each sound record keeps its session and place."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
from hypothesis import strategies as st

from nequi_lake.datasets.checks import ROWS_ACCOUNTED_FOR
from nequi_lake.datasets.electric_motor import DATASET
from nequi_lake.engines.polars import stage
from nequi_lake.lake.quarantine import newest_quarantine
from nequi_lake.lake.release import Release
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage import open_storage
from nequi_lake.quality.audit import audit
from nequi_lake_tests.conftest import MOTOR_HEADER
from nequi_lake_tests.datasets.kept import kept_file
from nequi_lake_tests.fuzz.outcomes import came

MOTOR = replace(DATASET, marts=(), tables=tuple(replace(table, quarantine_limit=1.0) for table in DATASET.tables))
TABLES = ("sessions", "measurements")
RELEASE = Release(id="r", run_id="run", raw_version="v", tables=TABLES)
COLUMNS = MOTOR_HEADER.count(",") + 1
SPELLINGS = ("{}", "{}.0", " {}", "+{}", "00{}", '"{}"', "{}\t")
INVALID = ("x", "", "0", "-3", "17.5", "1e2", "99999999999999999999")
NO_RECORDS = ("", "   ", MOTOR_HEADER)
DAMAGED = ("1,2,3", "," * (COLUMNS + 2), '1"2' + "," * (COLUMNS - 1), "1,\0" + "," * (COLUMNS - 2))
FAR = 10
"""Between two records that name a session and stand so far within it, those of another one are in the wrong place."""


@dataclass(frozen=True)
class Line:
    """A line after the header.

    Attributes:
        text: the line.
        session: the session that it names; None where it does not say.
        is_sound: whether it is a record that must be in the tables.
        is_record: whether it has a place at all: it is no blank line, and no header.
    """

    text: str
    session: int | None = None
    is_sound: bool = True
    is_record: bool = True


@dataclass(frozen=True)
class Spoil:
    """Lines that are put into a session or take the place of its own.

    Attributes:
        place: from 0 to 1, where in the session; the lines at both edges are the likeliest.
        kind: what they are.
        which: which text of that kind.
        count: how many.
        is_added: whether they come between the records, and not in their place.
    """

    place: float
    kind: str
    which: int
    count: int
    is_added: bool


@dataclass(frozen=True)
class Session:
    """A session of the file."""

    number: int
    records: int
    spelling: str
    spoils: tuple[Spoil, ...]


@dataclass(frozen=True)
class Motor:
    """A file of sessions.

    Attributes:
        sessions: in its order.
        ends: how its lines end.
        is_ended: whether the last line has an end.
    """

    sessions: tuple[Session, ...]
    ends: str
    is_ended: bool

    def lines(self) -> list[Line]:
        """The lines after the header."""
        numbers = [session.number for session in self.sessions]
        return [line for session in self.sessions for line in _lines_of(session, numbers)]


def _lines_of(session: Session, numbers: list[int]) -> list[Line]:
    lines = [
        Line(record(session.spelling.format(session.number), session.number, place), session.number)
        for place in range(session.records)
    ]
    for spoil in session.spoils:
        within = (FAR, len(lines) - FAR) if spoil.kind == "another session" else (0, len(lines))
        at = within[0] + round(spoil.place * (within[1] - within[0] - spoil.count))
        lines[at : at + (0 if spoil.is_added else spoil.count)] = [_spoiled(spoil, session, numbers)] * spoil.count
    return lines


def _spoiled(spoil: Spoil, session: Session, numbers: list[int]) -> Line:
    def one_of(texts: tuple[str, ...]) -> str:
        return texts[spoil.which % len(texts)]

    match spoil.kind:
        case "invalid value":
            return Line(record(one_of(INVALID), 0, 0), is_sound=False)
        case "another session":
            others = [number for number in (*numbers, 7777) if number != session.number]
            return Line(record(str(others[spoil.which % len(others)]), 0, 0), is_sound=False)
        case "damaged":
            return Line(one_of(DAMAGED), is_sound=False)
        case _:
            return Line(one_of(NO_RECORDS), is_sound=False, is_record=False)


def record(profile: str, session: int, place: int) -> str:
    """A record of a session: two of its columns say where it truly stands."""
    return ",".join([str(session), str(place), *["1.5"] * (COLUMNS - 3), profile])


def expected(lines: list[Line]) -> Iterator[tuple[int, int, int, bool]]:
    """The model: session, true place in it, place in the lake, and whether that is uncertain, of each sound record.

    A session begins with its first record. Where records before it do not say to which session they belong, the places
    in it are uncertain.
    """
    current, place, in_doubt = None, 0, False
    for number, line in enumerate(lines):
        if not line.is_record:
            continue
        if line.is_sound and line.session != current:
            current, place, doubt = line.session, 0, in_doubt
        if line.is_sound:
            assert line.session is not None
            yield line.session, number, place, doubt
        in_doubt = not line.is_sound
        place += 1


def _which_other(spoil: Spoil) -> object:
    """Two of another session in one may leave too little of it between them."""
    return "another session" if spoil.kind == "another session" else spoil


SPOILS = st.builds(
    Spoil,
    place=st.sampled_from([0.0, 1.0]) | st.floats(0, 1),
    kind=st.sampled_from(["invalid value", "another session", "damaged", "no record"]),
    which=st.integers(0, 30),
    count=st.integers(1, 3),
    is_added=st.booleans(),
)
MOTORS = st.builds(
    Motor,
    sessions=st.lists(st.integers(1, 90), min_size=1, max_size=4, unique=True).flatmap(
        lambda numbers: st.tuples(
            *(
                st.builds(
                    Session,
                    number=st.just(number),
                    records=st.integers(30, 80),
                    spelling=st.sampled_from(SPELLINGS),
                    spoils=st.lists(SPOILS, max_size=2, unique_by=_which_other).map(tuple),
                )
                for number in numbers
            )
        )
    ),
    ends=st.sampled_from(["\n", "\n", "\r\n"]),
    is_ended=st.booleans(),
)


def keeps_sessions_and_places(case: Motor) -> None:
    """Stage a file of sessions.

    Raises:
        AssertionError: a sound record is lost, or has another session, place or value, or another doubt.
    """
    lines = case.lines()
    content = case.ends.join([MOTOR_HEADER, *(line.text for line in lines)]) + case.ends * case.is_ended
    # The header again is no record, and so are blank lines at the end.
    lines = [line for line in lines if line.text != MOTOR_HEADER]
    while not lines[-1].text.strip():
        lines.pop()
    with tempfile.TemporaryDirectory() as name:
        storage = open_storage(Settings.from_env({"NEQUI_LAKE_URI": str(Path(name, "lake"))}))
        kept = kept_file(MOTOR, Path(name), content)
        assert kept.readable
        assert kept.records == len(lines)
        staged = stage(MOTOR, {kept.file: kept}, TABLES, RELEASE, storage)
        bad = newest_quarantine(storage, MOTOR, MOTOR.relation("measurements")).collect()
        checks = audit(MOTOR, staged, {}, storage)
        rows = pl.concat(pl.read_parquet(path, hive_partitioning=False) for path in staged["measurements"].paths)
        sessions = pl.concat(pl.read_parquet(path) for path in staged["sessions"].paths)
    came(f"sessions: {(len(lines) - rows.height and 'some put aside') or 'all read'}")
    assert all(check.passed for check in checks if check.name == ROWS_ACCOUNTED_FOR)
    assert bad["record"].to_list() == [number for number, line in enumerate(lines) if not line.is_sound]
    must = list(expected(lines))
    have = rows.select("profile_id", "sample", "u_q", "coolant", "elapsed_s").sort("profile_id", "sample").rows()
    told = sorted(
        (session, place, *map(float, lines[at].text.split(",")[:2]), place / 2) for session, at, place, _ in must
    )
    assert have == told
    for session, samples, duration_s, uncertain_from in sessions.select(
        "profile_id", "samples", "duration_s", "uncertain_from"
    ).rows():
        own = [(place, doubt) for number, _, place, doubt in must if number == session]
        assert samples == len(own)
        assert duration_s == (max(own)[0] + 1) / 2
        assert uncertain_from == min((place for place, doubt in own if doubt), default=None)
    assert sessions.height == len({number for number, *_ in must})
