"""Sessions: a value that breaks the contract delimits nothing, and only records have places."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nequi_lake import Lake
from nequi_lake_tests.conftest import MOTOR_HEADER, motor_rows, released, write_motor

SESSION = 200


@pytest.fixture
def rows() -> list[str]:
    """Three sessions, of 200 records each."""
    return [row for profile in (17, 4, 9) for row in motor_rows(profile, SESSION)]


def named(profile: str) -> str:
    """A record that names this session."""
    return motor_rows(0, 1, profile_id=profile)[0]


def published(lake: Lake, inbox: Path, rows: list[str]) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Sessions, measurements and quarantine of a motor file of these lines."""
    write_motor(inbox, rows)
    released(lake, "electric_motor")
    return (
        lake.table("electric_motor.sessions").to_polars().sort("profile_id"),
        lake.table("electric_motor.measurements").to_polars().sort("profile_id", "sample"),
        lake.table("electric_motor.measurements").quarantine(),
    )


def places(measurements: pl.DataFrame, profile: int) -> list[int]:
    """The places of a session's measurements."""
    return measurements.filter(pl.col("profile_id") == profile)["sample"].to_list()


def test_a_session_written_as_17_0_is_session_17(lake: Lake, inbox: Path) -> None:
    rows = [named(f"{profile}.0") for profile in (17, 4) for _ in range(SESSION)]
    sessions, measurements, _ = published(lake, inbox, rows)
    assert sessions.select("profile_id", "duration_s").rows() == [(4, 100.0), (17, 100.0)]
    assert places(measurements, 4) == list(range(SESSION))


@pytest.mark.parametrize("stray", ["0", "-3", "x", "", "4"])
def test_a_wrong_value_inside_a_session_costs_its_own_record_only(
    lake: Lake, inbox: Path, rows: list[str], stray: str
) -> None:
    rows[150] = named(stray)
    sessions, measurements, quarantine = published(lake, inbox, rows)
    assert sessions["duration_s"].to_list() == [100.0, 100.0, 100.0]
    assert sessions["uncertain_from"].to_list() == [None, None, None]
    assert places(measurements, 17) == [place for place in range(SESSION) if place != 150]
    assert places(measurements, 4) == list(range(SESSION))
    assert quarantine["line"].to_list() == [152]


def test_a_record_of_another_session_says_why_it_is_put_aside(lake: Lake, inbox: Path, rows: list[str]) -> None:
    rows[150] = named("9")
    _, _, quarantine = published(lake, inbox, rows)
    assert quarantine["rule"].to_list() == ["sessions.profile_id: it stands within another session"]


def test_a_wrong_value_close_before_unreadable_ones_costs_no_more_than_those(
    lake: Lake, inbox: Path, rows: list[str]
) -> None:
    rows[150:155] = [named("9"), rows[151], named("x"), named("x"), named("x")]
    _, measurements, quarantine = published(lake, inbox, rows)
    assert quarantine["line"].to_list() == [152, 154, 155, 156]
    assert places(measurements, 17) == [place for place in range(SESSION) if place not in (150, 152, 153, 154)]


def test_what_is_left_of_a_session_elsewhere_is_put_aside(lake: Lake, inbox: Path, rows: list[str]) -> None:
    rows[SESSION] = named("9")
    sessions, _, quarantine = published(lake, inbox, rows)
    assert sessions["samples"].to_list() == [SESSION - 1, SESSION, SESSION]
    assert quarantine["rule"].to_list() == ["sessions.profile_id: its session stands elsewhere in the file"]


@pytest.mark.parametrize("line", ["", "  ", MOTOR_HEADER])
def test_a_line_that_is_no_record_has_no_place(lake: Lake, inbox: Path, rows: list[str], line: str) -> None:
    rows.insert(100, line)
    sessions, measurements, _ = published(lake, inbox, rows)
    assert sessions["duration_s"].to_list() == [100.0, 100.0, 100.0]
    assert places(measurements, 17) == list(range(SESSION))


def test_a_damaged_record_inside_a_session_has_a_place_in_it(lake: Lake, inbox: Path, rows: list[str]) -> None:
    rows[100] = "1,2,3"
    sessions, measurements, _ = published(lake, inbox, rows)
    assert places(measurements, 17) == [place for place in range(SESSION) if place != 100]
    assert sessions["uncertain_from"].to_list() == [None, None, None]


@pytest.mark.parametrize("damaged", ["1,2,3", named("0")])
def test_where_nobody_knows_to_which_session_a_record_belongs_the_places_after_it_are_uncertain(
    lake: Lake, inbox: Path, rows: list[str], damaged: str
) -> None:
    rows[SESSION] = damaged
    sessions, measurements, _ = published(lake, inbox, rows)
    assert sessions.select("profile_id", "uncertain_from").rows() == [(4, 0), (9, None), (17, None)]
    assert places(measurements, 17) == list(range(SESSION))
    assert places(measurements, 4) == list(range(SESSION - 1))
