"""A bad record is put aside for all tables, with where it is, what it broke, and what it said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nequi_lake import Lake
from nequi_lake.lake.quarantine import newest_quarantine
from nequi_lake.lake.storage import StorageBackend
from nequi_lake_tests.conftest import Materialize, citation, motor_rows, write_citations, write_motor
from nequi_lake_tests.datasets.kept import kept_file
from nequi_lake_tests.datasets.notes import NOTES, kept_notes, staged_notes


def quarantined(lake: Lake, table: str) -> list[dict[str, Any]]:
    """The newest quarantine of a table, as rows."""
    return newest_quarantine(lake.storage, *lake.declared(table)).collect().to_dicts()


def test_a_bad_csv_record_reports_line_table_rule_and_values(inbox: Path, materialize: Materialize, lake: Lake) -> None:
    rows = motor_rows(17, 300)
    rows[7] = motor_rows(17, 1, pm="hot", torque="-5000")[0]
    rows[9] = motor_rows(17, 1, u_q="")[0]
    write_motor(inbox, rows)
    assert materialize("electric_motor").success
    first, second = quarantined(lake, "electric_motor.measurements")
    assert (first["dataset"], first["file"], first["line"]) == ("electric_motor", "measures_v2.csv", 9)
    assert first["table"] == "measurements"
    assert "measurements.pm: cannot be read as Float64" in first["rule"]
    assert "measurements.torque: must be >= -1000" in first["rule"]
    assert json.loads(first["raw"])["pm"] == "hot"
    assert first["original"] == rows[7]
    content = (inbox / "electric_motor" / "measures_v2.csv").read_bytes()
    assert content[first["offset_bytes"] :][: first["size_bytes"]].decode() == rows[7]
    assert second["line"] == 11
    assert second["rule"] == "measurements.u_q: is missing"
    # Put aside for the session as well, so that both tables tell of the same records.
    assert quarantined(lake, "electric_motor.sessions") == [first, second]


def test_a_record_of_an_unreadable_session_leaves_a_gap(inbox: Path, materialize: Materialize, lake: Lake) -> None:
    rows = motor_rows(17, 300)
    rows[4] = motor_rows(17, 1, profile_id="seventeen")[0]
    write_motor(inbox, rows)
    assert materialize("electric_motor").success
    places = lake.table("electric_motor.measurements").scan().select("sample", "elapsed_s").sort("sample").collect()
    assert places["sample"].to_list() == [n for n in range(300) if n != 4]
    assert places["elapsed_s"].to_list() == [n / 2 for n in range(300) if n != 4]


def test_a_bad_json_record_is_put_aside_for_every_table(inbox: Path, materialize: Materialize, lake: Lake) -> None:
    write_citations(
        inbox, "train", [citation(1), citation(77, paper_id="S77"), *(citation(n) for n in range(100, 300))]
    )
    assert materialize("cite_sum").success
    (bad,) = quarantined(lake, "cite_sum.citations")
    assert (bad["file"], bad["line"], bad["table"]) == ("train.json", 2, "papers")
    assert "papers.paper_id: must match ^[0-9]+$" in bad["rule"]
    assert json.loads(bad["raw"])["discipline"]["venue"] == "ArXiv"
    seen = lake.sql(
        "SELECT count(*) AS n FROM cite_sum.papers p FULL JOIN cite_sum.citations c USING (paper_id) "
        "FULL JOIN cite_sum.paper_fields f USING (paper_id) WHERE paper_id = 'S77'"
    )
    assert seen.to_pylist() == [{"n": 0}]


def test_lines_are_right_where_records_span_lines(tmp_path: Path, storage: StorageBackend) -> None:
    many = "".join(f"{number},fine\n" for number in range(4, 204))
    kept = kept_notes(tmp_path, 'id,text\n1,"a\nb\nc"\nx,"bad\none"\n3,fine\ny,"bad"\n' + many)
    _, bad = staged_notes(kept, storage)
    assert [(row["record"], row["line"]) for row in bad] == [(1, 5), (3, 8)]


def test_a_number_among_spaces_is_one_and_keeps_its_place(tmp_path: Path, storage: StorageBackend) -> None:
    odd = [" 400", "401.0", "402 ", " x ", " -404 ", '" 405.0 "', ""]
    texts = [*map(str, range(400)), *odd, *map(str, range(407, 800))]
    kept = kept_notes(tmp_path, "id,text\n" + "".join(f"{text},a note\n" for text in texts))
    staged, bad = staged_notes(kept, storage)
    assert pl.read_parquet(staged.paths)["id"].to_list() == [n for n in range(800) if n not in (403, 404, 406)]
    assert [(row["line"], row["rule"], json.loads(row["raw"])["id"]) for row in bad] == [
        (405, "notes.id: cannot be read as Int64", " x "),
        (406, "notes.id: must be >= 0", " -404 "),
        (408, "notes.id: is missing", None),
    ]


def test_many_bad_records_keep_the_order_of_the_file(
    tmp_path: Path, storage: StorageBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nequi_lake.engines.records._BATCH_RECORDS", 50)
    monkeypatch.setattr("nequi_lake.engines.files._SPOOLED_BYTES", 1)
    texts = {n: f'"x{n}","over\nlines"\n' for n in (40, 49, 300, 800)} | {n: f"{n},a,b\n" for n in (3, 51, 299, 999)}
    records = [texts.get(n, f"{n},fine\n") for n in range(1000)]
    parts = ["id,text\n" + "".join(records[start : start + 500]) for start in (0, 500)]
    _, bad = staged_notes(kept_file(NOTES, tmp_path, *parts), storage)
    assert [(row["file"], row["record"]) for row in bad] == [
        (f"notes/part-{n // 500}.csv", n % 500) for n in sorted(texts)
    ]
    lines = [2 + sum(record.count("\n") for record in records[n // 500 * 500 : n]) for n in sorted(texts)]
    assert [row["line"] for row in bad] == lines


def test_quarantine_belongs_to_what_readers_see(inbox: Path, materialize: Materialize, lake: Lake) -> None:
    sound = motor_rows(17, 300)
    write_motor(inbox, [*sound[:7], *motor_rows(17, 1, pm="hot"), *sound[8:]])
    assert materialize("electric_motor").success
    (published,) = lake.quarantine("electric_motor.measurements").to_dicts()
    assert published["line"] == 9
    assert lake.unpublished_quarantine("electric_motor.measurements") is None

    # A run that is refused, as more records are bad than the limit allows.
    write_motor(inbox, [*sound[:200], *motor_rows(17, 100, pm="hot")])
    assert not materialize("electric_motor").success
    again = Lake(lake.settings, lake.datasets)
    assert again.quarantine("electric_motor.measurements").to_dicts() == [published]
    assert again.table("electric_motor.measurements").quarantine().to_dicts() == [published]
    other = again.unpublished_quarantine("electric_motor.measurements")
    assert other is not None
    run, count = other
    assert count == 100
    assert again.quarantine("electric_motor.measurements", run=run).height == 100
