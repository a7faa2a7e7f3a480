"""Whatever happens to a file's bytes, it is refused with a reason, or each of its records is accounted for."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nequi_lake.engines.records import read_records
from nequi_lake.lake.storage import StorageBackend
from nequi_lake_tests.datasets.notes import NOTES, kept_notes, staged_notes
from nequi_lake_tests.engines.test_one_pass import WHOLE_COLUMN
from nequi_lake_tests.fuzz.cases import (
    CASES,
    Case,
    a_zip_is_refused_or_gives_what_was_put_in,
    csv_records_of,
    is_refused_or_accounted_for,
)

(FILE,) = NOTES.files
EXAMPLES = 60


HEADER = b"id,text\n"
SOUND = HEADER + b"".join(csv_records_of(300))


def staged_quarantine(folder: Path, storage: StorageBackend, content: bytes) -> list[dict[str, Any]]:
    """What staging a file of this content puts aside; the rest must be staged and accounted for."""
    _, bad = staged_notes(kept_notes(folder, content), storage)
    # The copy without the damaged records is gone.
    assert not storage.scratch_folder("notes").exists()
    return bad


DAMAGE = {
    "too few fields": (b"200\n", "1 fields where the header has 2"),
    "too many fields": (b"200,a,b\n", "3 fields where the header has 2"),
    "not UTF-8": (b"200,caf\xe9\n", "bytes that are not UTF-8"),
    "NUL": (b"200,a\0b\n", "a NUL byte"),
    "open quote": (b'200,"a\n', "a quote is opened and never closed"),
    "stray quote": (b'200,5" disk\n', "a quote is opened and never closed, or stands inside of a field"),
    "carriage return": (b"200,a\rb\n", "a carriage return that ends no line"),
    "blank": (b"\n", "a blank line"),
    "spaces": (b"   \n", "a blank line"),
    "footer": (b"Total amount funded in policy code 1: 460296150\n", "1 fields where the header has 2"),
    "many lines": (b'200,"a\nb",c\n', "3 fields where the header has 2"),
}


@pytest.mark.parametrize("place", [0, 1, 150, 298], ids="place {}".format)
@pytest.mark.parametrize(("record", "reason"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_record_is_put_aside_with_line_reason_and_bytes(
    record: bytes, reason: str, place: int, tmp_path: Path, storage: StorageBackend
) -> None:
    records = csv_records_of(300)
    records[place] = record
    (bad,) = staged_quarantine(tmp_path, storage, HEADER + b"".join(records))
    line = 2 + b"".join(records[:place]).count(b"\n")
    assert (bad["dataset"], bad["file"], bad["record"], bad["line"]) == ("notes", "notes.csv", place, line)
    assert bad["table"] is None
    assert reason in bad["rule"]
    raw = json.loads(bad["raw"])
    text = base64.b64decode(raw["base64"]) if "base64" in raw else raw["text"].encode()
    assert text + b"\n" == record
    assert ("base64" in raw) == (reason == "bytes that are not UTF-8")


@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["plain", "windows"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "byte order mark"])
def test_damage_is_put_aside_beside_records_that_break_a_rule(
    end: bytes, mark: bytes, tmp_path: Path, storage: StorageBackend
) -> None:
    records = csv_records_of(300)
    records[3] = b"x,not a number\n"
    records[7] = b"7\n"
    records[11] = b"y,not a number\n"
    content = mark + (HEADER + b"".join(records)).replace(b"\n", end)
    bad = staged_quarantine(tmp_path, storage, content)
    assert [(row["record"], row["rule"].split(",")[0]) for row in bad] == [
        (3, "notes.id: cannot be read as Int64"),
        (7, "1 fields where the header has 2"),
        (11, "notes.id: cannot be read as Int64"),
    ]
    assert [row["line"] for row in bad] == [2 + b"".join(records[: row["record"]]).count(b"\n") for row in bad]


def test_a_huge_damaged_record_is_quarantined_in_part(tmp_path: Path, storage: StorageBackend) -> None:
    records = csv_records_of(300)
    records[3] = b"3,a," + b"x" * 1_000_000 + b"\n"
    (bad,) = staged_quarantine(tmp_path, storage, HEADER + b"".join(records))
    raw = json.loads(bad["raw"])
    assert raw["size_bytes"] == 1_000_004
    assert raw["text"] == "3,a," + "x" * (2**16 - 4)


def test_a_damaged_file_is_scanned_once_and_in_bounded_memory(tmp_path: Path, storage: StorageBackend) -> None:
    kept = kept_notes(tmp_path, SOUND + b"\n\0\n")
    with Path(kept.path).open("rb") as content:
        repaired = FILE.repair(content, kept.parts[0].structure, tmp_path / "repaired.csv")
    assert repaired.damaged["record"].to_list() == [300, 301]
    frame = read_records(NOTES, FILE, kept, storage, {FILE.name: repaired}).frame
    assert frame.explain().count("SCAN [") == 1
    graph = frame.show_graph(engine="streaming", plan_stage="physical", raw_output=True, show=False)
    # The few damaged records are the one thing that is in memory.
    assert [kind for kind in WHOLE_COLUMN.findall(graph or "") if kind != "in-memory-source"] == []


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=CASES)
def test_random_damage_is_refused_or_accounted_for(case: Case) -> None:
    is_refused_or_accounted_for(case)


@settings(max_examples=EXAMPLES, deadline=None)
@given(case=CASES, packed=st.booleans())
def test_a_zip_that_is_damaged_at_random_is_refused_or_gives_what_was_put_in(case: Case, packed: bool) -> None:
    a_zip_is_refused_or_gives_what_was_put_in(case, packed)
