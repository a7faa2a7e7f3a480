"""The check of a raw file's structure tells the counts, the first problems by line, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from nequi_lake.formats import ShareLimit
from nequi_lake.quality.structure import FILE_STRUCTURE, structure_check
from nequi_lake_tests.formats.test_inspect import CSV, HEADER, WEB_PAGE, look

LIMIT = ShareLimit(0.01)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is written."""
    return tmp_path / "file"


def test_a_whole_file_passes_the_check_with_its_counts(path: Path) -> None:
    check = structure_check("shop/orders.csv", look(path, CSV, HEADER + '1,"a\nb",2\n' + "1,a,2\n" * 1_234), LIMIT)
    assert (check.name, check.subject, check.passed) == (FILE_STRUCTURE, "shop/orders.csv", True)
    assert check.found == "1,235 records on 1,237 lines"
    assert (check.numbers["records"], check.numbers["lines"], check.numbers["problems"]) == (1_235, 1_237, 0)


def test_more_damaged_records_than_the_limit_fail_the_check_with_lines_reasons_and_what_to_do(path: Path) -> None:
    structure = look(path, CSV, HEADER + "1,a\n" * 8 + "1,a,2\n" * 791)
    assert not structure.is_readable(LIMIT)
    check = structure_check("shop/orders.csv", structure, LIMIT)
    assert (check.passed, check.warns, check.refuses) == (False, False, True)
    assert check.found.startswith(
        "8 of 799 records (1.00%) cannot be read; at most 7 may be (1%): line 2: 2 fields where the header has 3"
    )
    assert "line 6: " in check.found
    assert check.found.endswith("; and 3 more")
    assert (check.numbers["damaged_records"], check.numbers["damaged_share_allowed"]) == (8, 0.01)
    assert "Get the file again" in check.fix


def test_damaged_records_within_the_limit_are_a_warning_with_lines_and_reasons(path: Path) -> None:
    structure = look(path, CSV, HEADER + "1,a\n" * 8 + "1,a,2\n" * 792)
    assert structure.is_readable(LIMIT)
    check = structure_check("shop/orders.csv", structure, LIMIT)
    assert (check.passed, check.warns, check.refuses) == (False, True, False)
    assert check.found.startswith("8 of 800 records (1.00%) cannot be read and go to the quarantine: line 2: 2")


def test_a_problem_of_the_whole_file_is_reported_without_a_line(path: Path) -> None:
    assert structure_check("shop/orders.csv", look(path, CSV, b""), LIMIT).found == "the file is empty"


@pytest.mark.parametrize("content", ["", HEADER, "id,text\n1,a\n", WEB_PAGE], ids=["empty", "header", "other", "page"])
def test_what_is_wrong_with_the_whole_file_is_refused_whatever_the_limit(path: Path, content: str) -> None:
    assert structure_check("shop/orders.csv", look(path, CSV, content), ShareLimit(1)).refuses
