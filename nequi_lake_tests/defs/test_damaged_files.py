"""A damaged file loads as far as it can: the bad records go to the quarantine, the rest is published."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import dagster as dg
import pytest

from nequi_lake import Lake
from nequi_lake.lake.quarantine import newest_quarantine
from nequi_lake.lake.raw import RawZone
from nequi_lake.quality.structure import FILE_STRUCTURE
from nequi_lake.sources.folder import FolderSource
from nequi_lake_tests.conftest import (
    Materialize,
    citation,
    failed_checks,
    failures,
    motor_rows,
    write_citations,
    write_motor,
)

pytestmark = pytest.mark.long

RAW_MOTOR = "raw/electric_motor/measures_v2.csv"
RAW_TRAIN = "raw/cite_sum/train.json"
ROW = motor_rows(17, 1)[0].encode()

BAD_ROWS = {
    "too few fields": (ROW[:30], "6 fields where the header has 13"),
    "too many fields": (ROW + b",1", "14 fields where the header has 13"),
    "two rows in one": (ROW + ROW, "25 fields where the header has 13"),
    "not UTF-8": (b"\xff" + ROW, "bytes that are not UTF-8"),
    "NUL": (b"\0" + ROW, "a NUL byte"),
    "open quote": (b'"' + ROW, "a quote is opened and never closed"),
    "footer": (b"Total of 300 measurements", "1 fields where the header has 13"),
    "blank": (b"", "a blank line"),
}


def quarantine(lake: Lake, table: str) -> list[tuple[str, int, str, bytes]]:
    """File, line, rule and bytes of each record that cannot be read in the newest quarantine of a table."""
    found = []
    for row in newest_quarantine(lake.storage, *lake.declared(table)).collect().to_dicts():
        raw = json.loads(row["raw"])
        text = base64.b64decode(raw["base64"]) if "base64" in raw else raw["text"].encode()
        found.append((row["file"], row["line"], row["rule"], text))
    return found


def warnings(result: dg.ExecuteInProcessResult) -> list[str]:
    """What the checks say that warn."""
    found = [e.asset_check_evaluation_data for e in result.all_events if e.event_type_value == "ASSET_CHECK_EVALUATION"]
    return [check.description or "" for check in found if not check.passed]


def spoil(path: Path, number: int, line: bytes) -> None:
    """Put ``line`` in the place of the file's line of this number, from 1."""
    lines = path.read_bytes().split(b"\n")
    lines[number - 1] = line
    path.write_bytes(b"\n".join(lines))


@pytest.mark.parametrize(("bad", "reason"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_bad_row_is_quarantined_and_the_rest_is_published(
    bad: bytes, reason: str, inbox: Path, materialize: Materialize, lake: Lake
) -> None:
    path = write_motor(inbox, motor_rows(17, 150) + motor_rows(4, 150))
    spoil(path, 12, bad)
    arrived = path.read_bytes()
    result = materialize("electric_motor")
    assert result.success
    # A warning, and the only one.
    assert failed_checks(result) == {RAW_MOTOR: [FILE_STRUCTURE]}
    ((file, line, rule, raw),) = quarantine(lake, "electric_motor.measurements")
    assert (file, line, raw) == ("measures_v2.csv", 12, bad)
    assert reason in rule
    measurements = lake.table("electric_motor.measurements")
    account = measurements.published.accounting
    assert (account.raw_records, account.quarantined, measurements.published.rows) == (300, 1, 299)
    # The record leaves a gap, and the records after it keep their place.
    places = measurements.scan().collect()
    # A blank line is no record, so that it has no place in the session.
    expected = [n for n in range(150) if n != 10] if bad else list(range(149))
    assert places.filter(profile_id=17)["sample"].sort().to_list() == expected
    assert places.filter(profile_id=4)["sample"].sort().to_list() == list(range(150))
    # The raw zone has what arrived.
    (kept,) = Path(lake.storage.path("raw", "electric_motor")).glob("version=*/measures_v2.csv")
    assert kept.read_bytes() == arrived


SOUND = json.dumps(citation(7))
BAD_LINES = {
    "truncated": (SOUND[:40].encode(), "truncated"),
    "not an object": (b"[1, 2]", "Expected `object`, got `array`"),
    "wrong type": (json.dumps(citation(7, title=7)).encode(), "Expected `str | null`, got `int` - at `$.title`"),
    "missing key": (b"{}", "missing required field `src`"),
    "unknown key": (json.dumps(citation(7, year=2020)).encode(), "an unknown field: `year`"),
    "a key twice": (SOUND.replace('"title"', '"tgt": "x", "title"').encode(), "the key 'tgt' stands twice"),
    "two on a line": ((SOUND + SOUND).encode(), "trailing characters"),
    "not UTF-8": (SOUND.replace("Nature", "Na\xefve").encode("latin-1"), "bytes that are not UTF-8"),
    "NUL": (SOUND.replace("Nature", "Na\0ture").encode(), "invalid character"),
    "blank": (b"", "a blank line"),
}


@pytest.mark.parametrize(("bad", "reason"), BAD_LINES.values(), ids=BAD_LINES)
def test_a_bad_json_line_is_quarantined_and_the_rest_is_published(
    bad: bytes, reason: str, inbox: Path, materialize: Materialize, lake: Lake
) -> None:
    path = write_citations(inbox, "train", [citation(n) for n in range(100, 400)])
    spoil(path, 12, bad)
    result = materialize("cite_sum")
    assert result.success
    assert failed_checks(result) == {RAW_TRAIN: [FILE_STRUCTURE]}
    ((file, line, rule, raw),) = quarantine(lake, "cite_sum.papers")
    assert (file, line, raw) == ("train.json", 12, bad)
    assert reason in rule
    citations = lake.table("cite_sum.citations")
    assert (citations.published.accounting.raw_records, citations.published.accounting.quarantined) == (302, 1)
    lines = citations.scan().collect().filter(split="train")["line"].sort().to_list()
    assert lines == [n for n in range(1, 301) if n != 12]


@pytest.mark.parametrize("damaged", [False, True], ids=["else sound", "and damaged"])
def test_a_byte_order_mark_before_json_lines_is_skipped(
    damaged: bool, inbox: Path, materialize: Materialize, lake: Lake
) -> None:
    path = write_citations(inbox, "train", [citation(n) for n in range(100, 400)])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    if damaged:
        spoil(path, 12, b"{}")
    result = materialize("cite_sum")
    assert result.success
    assert failed_checks(result) == ({RAW_TRAIN: [FILE_STRUCTURE]} if damaged else {})
    assert [line for _, line, _, _ in quarantine(lake, "cite_sum.papers")] == ([12] if damaged else [])
    citations = lake.table("cite_sum.citations").scan().collect().filter(split="train").sort("line")
    assert citations["line"].to_list() == [n for n in range(1, 301) if not (damaged and n == 12)]
    assert citations["tgt"][0] == "REF says what paper 100 says."
    (kept,) = Path(lake.storage.path("raw", "cite_sum")).glob("version=*/train.json")
    assert kept.read_bytes() == path.read_bytes()


def test_a_file_that_was_cut_short_loads_up_to_the_cut(inbox: Path, materialize: Materialize, lake: Lake) -> None:
    path = write_motor(inbox, motor_rows(17, 300))
    path.write_bytes(path.read_bytes()[:-30])
    assert materialize("electric_motor").success
    assert lake.table("electric_motor.measurements").published.rows == 299
    ((_, line, rule, _),) = quarantine(lake, "electric_motor.measurements")
    assert line == 301
    assert "fields where the header has 13" in rule


def test_more_than_the_limit_changes_nothing_and_names_lines(inbox: Path, materialize: Materialize, lake: Lake) -> None:
    assert materialize("electric_motor").success
    before = {table.published.name: table.to_arrow() for table in lake.tables()}
    path = write_motor(inbox, motor_rows(17, 300))
    for number in (10, 20, 30, 40):
        spoil(path, number, b"damaged")
    result = materialize("electric_motor")
    assert not result.success
    told = failures(result)
    assert "fails file_structure: 4 of 300 records (1.33%) cannot be read; at most 3 may be (1%): line 10: " in told
    assert "; line 40: 1 fields where the header has 13" in told
    assert {table.published.name: table.to_arrow() for table in lake.tables()} == before
    # Nothing of the damaged version is staged when the tables alone are made again.
    assert materialize(keys=["processed/electric_motor/measurements"]).success
    assert {table.published.name: table.to_arrow() for table in lake.tables()} == before


def test_damage_and_broken_rules_count_together_towards_the_limit(
    inbox: Path, materialize: Materialize, lake: Lake
) -> None:
    rows = motor_rows(17, 300)
    rows[5] = rows[6] = motor_rows(17, 1, pm="hot")[0]
    path = write_motor(inbox, rows)
    spoil(path, 10, b"damaged")
    spoil(path, 20, b"damaged")
    result = materialize("electric_motor")
    assert not result.success
    assert "4 of 300 records of measures_v2.csv (1.33%) are bad; at most 3 may be (1%)" in failures(result)
    assert lake.tables() == []
    bad = newest_quarantine(lake.storage, *lake.declared("electric_motor.measurements")).collect()
    assert bad["line"].to_list() == [7, 8, 10, 20]


def test_a_second_run_warns_again_and_publishes_nothing_new(
    inbox: Path, materialize: Materialize, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_motor(inbox, motor_rows(17, 300))
    spoil(path, 10, b"damaged")
    first = materialize("electric_motor")
    assert first.success
    before = {table.published.name: table.published for table in lake.tables()}
    assert "line 10: 1 fields where the header has 13" in warnings(first)[0]
    with monkeypatch.context() as patch:
        patch.setattr(FolderSource, "version", lambda _, dataset: RawZone(lake.storage).current_version(dataset.name))
        patch.setattr(FolderSource, "fetch", None)
        # It says the same of the kept file as it said of the one that came.
        assert warnings(materialize("electric_motor")) == warnings(first)
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize("electric_motor", instance=instance)
    assert result.success
    assert failed_checks(result) == {RAW_MOTOR: [FILE_STRUCTURE]}
    severities = [
        event.asset_check_evaluation_data.severity
        for event in result.all_events
        if event.event_type_value == "ASSET_CHECK_EVALUATION" and not event.asset_check_evaluation_data.passed
    ]
    assert severities == [dg.AssetCheckSeverity.WARN]
    assert {table.published.name: table.published for table in lake.tables()} == before
