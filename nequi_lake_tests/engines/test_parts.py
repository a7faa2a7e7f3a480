"""A raw file in many parts is staged as one, and what is put aside tells its part."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import polars as pl

from nequi_lake import Lake
from nequi_lake.engines.records import read_records
from nequi_lake.lake.release import StagedTable
from nequi_lake.lake.storage import StorageBackend
from nequi_lake_tests.conftest import MOTOR_HEADER, Materialize, citation, failures, motor_rows, write_citations
from nequi_lake_tests.datasets.kept import kept_file
from nequi_lake_tests.datasets.notes import NOTES, staged_notes

HEADER = "id,text\n"


def staged_parts(
    folder: Path, storage: StorageBackend, *parts: str | bytes
) -> tuple[StagedTable, list[dict[str, Any]]]:
    """The table of these parts, and what was put aside."""
    return staged_notes(kept_file(NOTES, folder, *parts), storage)


def notes(first: int, count: int, text: str = "plain") -> str:
    """A part of so many notes."""
    return HEADER + "".join(f"{number},{text}\n" for number in range(first, first + count))


def test_parts_give_the_rows_of_all_of_them_in_order(tmp_path: Path, storage: StorageBackend) -> None:
    parts = [notes(0, 300), "\ufeff" + notes(300, 5), HEADER, notes(305, 7).replace("\n", "\r\n")]
    staged, bad = staged_parts(tmp_path, storage, *parts)
    assert pl.read_parquet(staged.paths)["id"].to_list() == list(range(312))
    assert bad == []


def test_a_bad_record_reports_its_part_and_its_line_there(tmp_path: Path, storage: StorageBackend) -> None:
    long = HEADER + "".join(f'{number},"over\nlines"\n' for number in range(600, 620))
    parts = [notes(0, 300), notes(300, 300) + "x,broken\n", long + "y,broken\n" + "\0\n", notes(700, 10) + "7\n"]
    staged, bad = staged_parts(tmp_path, storage, *parts)
    assert staged.rows == 630
    assert [(row["file"], row["record"], row["line"], row["rule"].split(",")[0].split(":")[0]) for row in bad] == [
        ("notes/part-1.csv", 300, 302, "notes.id"),
        ("notes/part-2.csv", 20, 42, "notes.id"),
        ("notes/part-2.csv", 21, 43, "a NUL byte"),
        ("notes/part-3.csv", 10, 12, "1 fields where the header has 2"),
    ]


def test_parts_that_are_read_as_they_are_share_one_scan(tmp_path: Path, storage: StorageBackend) -> None:
    kept = kept_file(NOTES, tmp_path, *(notes(10 * number, 10) for number in range(5)))
    file = NOTES.readable_files[0]
    assert read_records(NOTES, file, kept, storage, {}).frame.explain().count("SCAN [") == 1


def test_a_session_goes_on_from_part_to_part(inbox: Path, materialize: Materialize, lake: Lake) -> None:
    rows = motor_rows(17, 400) + motor_rows(4, 200)
    (inbox / "electric_motor" / "measures_v2.csv").unlink()
    cuts = sorted(random.Random(1).sample(range(1, 600), 4))
    for number, (start, end) in enumerate(zip([0, *cuts], [*cuts, 600], strict=True)):
        path = inbox / "electric_motor" / "measures_v2" / f"part-{number}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join([MOTOR_HEADER, *rows[start:end]]) + "\n")
    assert materialize("electric_motor").success
    measured = lake.table("electric_motor.measurements").scan().sort("profile_id", "sample").collect()
    assert measured.select("profile_id", "sample").rows() == [
        *((4, number) for number in range(200)),
        *((17, number) for number in range(400)),
    ]
    # The version that is kept is not fetched again, and gives the same release.
    before = lake.table("electric_motor.measurements").published
    assert materialize("electric_motor").success
    assert lake.table("electric_motor.measurements").published == before


def test_lines_of_parts_are_numbered_on(inbox: Path, materialize: Materialize, lake: Lake) -> None:
    (inbox / "cite_sum" / "train.json").unlink()
    for number in range(3):
        write_citations(inbox, f"train/part-{number}", [citation(100 + 10 * number + one) for one in range(4)])
    result = materialize("cite_sum")
    assert result.success, failures(result)
    train = lake.table("cite_sum.citations").scan().filter(split="train").sort("line").collect()
    assert train["line"].to_list() == list(range(1, 13))
    assert train["paper_id"].to_list() == [str(100 + 10 * number + one) for number in range(3) for one in range(4)]


def test_a_part_of_another_layout_refuses_the_file(inbox: Path, materialize: Materialize, lake: Lake) -> None:
    for number, text in enumerate((MOTOR_HEADER, MOTOR_HEADER.replace("u_q", "u_x"))):
        path = inbox / "electric_motor" / "measures_v2" / f"part-{number}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join([text, *motor_rows(17, 5)]) + "\n")
    (inbox / "electric_motor" / "measures_v2.csv").unlink()
    result = materialize("electric_motor")
    assert not result.success
    assert "measures_v2/part-1.csv, line 1: missing columns u_q; unexpected columns u_x" in failures(result)
    assert lake.tables() == []
