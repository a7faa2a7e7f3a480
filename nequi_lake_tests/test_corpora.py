"""What is measured of public corpora: each outcome is called by its name, for a reader that is right and for others."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.corpora.__main__ import main
from benchmarks.corpora.json_files import JsonCase, as_field, as_record
from benchmarks.corpora.outcome import LOST, NAMED, REFUSED, RIGHT, WRONG, Read, Row, outcome, scores

CLEAN: list[Row] = [("1", "a"), ("2", None)]


@pytest.mark.parametrize(
    ("read", "came"),
    [
        (Read([("1", "a"), ("2", "")]), RIGHT),
        (Read([("1", "a"), ("2", None)] * 2), RIGHT),
        (Read([("1", "a")], named=1), NAMED),
        (Read([("1", "a")]), LOST),
        (Read([("1", "a"), ("2", "b")], named=1), WRONG),
        (Read(refused="no header"), REFUSED),
    ],
)
def test_each_outcome(read: Read, came: str) -> None:
    assert outcome(read, CLEAN) == came


def test_the_score_of_a_right_file_is_ten() -> None:
    assert sum(scores(Read(CLEAN, header=("x", "y")), CLEAN, ("x", "y"))) == pytest.approx(10)
    assert sum(scores(Read(refused="x"), CLEAN, ("x", "y"))) == 0


def test_a_folder_in_the_layout_of_pollock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = "id,town\n" + "".join(f"{n},t{n}\n" for n in range(200))
    files = {
        "source.csv": (sound, {}),
        "row_more_sep_row1_col0.csv": (sound.replace("1,t1\n", "1,,t1\n", 1), {}),
        "file_field_delimiter_0x3B.csv": (sound.replace(",", ";"), {"delimiter": ";"}),
    }
    for name in ("csv", "clean", "parameters"):
        (tmp_path / name).mkdir()
    for name, (text, how) in files.items():
        said = {"encoding": "utf-8", "delimiter": ",", "quotechar": '"', "escapechar": '"', "header_lines": 1}
        said |= {"preamble_lines": 0, "footnote_lines": 0, "column_names": ["id", "town"], **how}
        (tmp_path / "csv" / name).write_text(text)
        (tmp_path / "clean" / name).write_text(sound)
        (tmp_path / "parameters" / f"{name}_parameters.json").write_text(json.dumps(said))
    for option in ((), ("--draft", "--only-lake")):
        monkeypatch.setattr(sys, "argv", ["corpora", "pollock", str(tmp_path), *option])
        assert main() == 0
        own = capsys.readouterr().out.split("\n\n")[0].splitlines()
        rows = {line.split()[0]: list(map(int, line.split()[1:])) for line in own[2:6]}
        assert rows == {
            "file_field_delimiter": [1, 0, 0, 0, 0],
            "row_more_sep": [0, 1, 0, 0, 0],
            "source": [1, 0, 0, 0, 0],
            "all": [2, 1, 0, 0, 0],
        }


@pytest.mark.parametrize(
    ("content", "field", "record"),
    [("1", RIGHT, NAMED), ("[1", NAMED, NAMED), ('"a"', RIGHT, NAMED), ("1e9999", NAMED, NAMED), ("{", NAMED, NAMED)],
)
def test_a_file_of_json_as_a_field_and_as_a_record(content: str, field: str, record: str, tmp_path: Path) -> None:
    path = tmp_path / "y_some.json"
    path.write_text(content)
    case = JsonCase(path, "must be taken")
    assert (as_field(case), as_record(case)) == (field, record)


@pytest.mark.long
@pytest.mark.parametrize("options", [(), ("--draft",)], ids=["declared", "drafted"])
def test_a_fault_of_each_kind_in_each_row_and_column(
    options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["corpora", "faults", "--records", "5", "--only-lake", *options])
    assert main() == 0, "a record is wrong or lost"
    out = capsys.readouterr().out
    sys.stdout.write(out)
    rows = {line.split()[0]: list(map(int, line.split()[1:])) for line in out.splitlines()[2:] if line.endswith("  0")}
    # Of each kind how many are right, named, refused, wrong and lost.
    assert rows["row_more_sep"] == [0, 45, 9, 0, 0]
    assert rows["file_field_delimiter_semicolon"] == [1, 0, 0, 0, 0]
    assert rows["all"][:2] == [21, 177]


@pytest.mark.long
@pytest.mark.parametrize("records", [1, 2, 3])
def test_a_draft_of_a_tiny_file_with_a_fault_is_right_or_refused(
    records: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["corpora", "faults", "--records", str(records), "--only-lake", "--draft"])
    assert main() == 0, "a record is wrong or lost"
    (total,) = (line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("all "))
    assert total[1] == "21", "sound files of all dialects are drafted right"
