"""``python -m benchmarks.corpora pollock|survey|json|parquet FOLDER``: what comes of the files of a public corpus.

``wild FOLDER`` drafts and publishes the files of each of its folders, and compares counts and sums of all columns with
those of an independent reader. Only descriptions and units are added to a draft.

``faults`` makes its files by itself: a table with a fault of each of Pollock's kinds, in each row and column.

The folders are laid out as their projects have them: Pollock's ``polluted_files`` and ``survey_sample``,
JSONTestSuite's ``test_parsing``, and the root of apache/parquet-testing with ``data`` and ``bad_data``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.corpora.csv_files import PEERS, Case, by_lake, cases
from benchmarks.corpora.faults import write_faults
from benchmarks.corpora.json_files import as_field, as_record, json_cases
from benchmarks.corpora.outcome import Read, Tally, outcome, scores
from benchmarks.corpora.parquet_files import parquet_outcome
from benchmarks.corpora.wild_sets import try_set
from nequi_lake.errors import NequiLakeError


def main() -> int:
    """Run a corpus and print what came of it; 1 where a record was wrong or lost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.corpora", description=__doc__)
    parser.add_argument("corpus", choices=["pollock", "survey", "faults", "wild", "json", "parquet"])
    parser.add_argument("folder", type=Path, nargs="?", help="where it is; faults are made")
    parser.add_argument("--records", type=int, default=20, help="of the table that faults are made in")
    parser.add_argument("--draft", action="store_true", help="take how a file is written from a draft")
    parser.add_argument("--only-lake", action="store_true", help="leave the other readers out")
    parser.add_argument("--weights", type=Path, help="Pollock's weights of its files, as JSON: name → weight")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    if chosen.corpus == "faults":
        with tempfile.TemporaryDirectory() as folder:
            write_faults(Path(folder), chosen.records)
            return _csv(Path(folder), chosen.draft, chosen.only_lake, None)
    if chosen.folder is None:
        parser.error(f"{chosen.corpus} needs the folder where it is")
    match chosen.corpus:
        case "json":
            return _json(chosen.folder)
        case "parquet":
            return _parquet(chosen.folder)
        case "wild":
            return _wild(chosen.folder)
        case _:
            return _csv(chosen.folder, chosen.draft, chosen.only_lake, chosen.weights)


def _csv(folder: Path, drafted: bool, only_lake: bool, weights: Path | None) -> int:
    found = list(cases(folder))
    of_files = json.loads(weights.read_text()) if weights else {}
    readers: Mapping[str, Callable[[Case], Read]] = {
        "nequi_lake": lambda case: by_lake(case, drafted=drafted),
        **({} if only_lake else PEERS),
    }
    wrong = 0
    for name, read in readers.items():
        tally, simple, weighted, total = Tally(), 0.0, 0.0, 0.0
        for case in found:
            try:
                came = read(case)
            except Exception as error:
                came = Read(refused=type(error).__name__)
            tally.add(case.kind, outcome(came, case.clean), came.refused)
            score = sum(scores(came, case.clean, case.header))
            simple += score
            weight = float(of_files.get(case.path.name, 1.0))
            weighted, total = weighted + score * weight, total + weight
        _print(name, tally)
        sys.stdout.write(f"Pollock's score: simple {simple / max(1, len(found)):.3f}")
        sys.stdout.write(f", weighted {weighted / total:.3f} of 10\n\n" if weights else " of 10\n\n")
        wrong += tally.total["wrong"] + tally.total["lost"] if name == "nequi_lake" else 0
    return 1 if wrong else 0


def _json(folder: Path) -> int:
    wrong = 0
    for name, come in {"as a field": as_field, "as a record": as_record}.items():
        tally = Tally()
        for case in json_cases(folder):
            tally.add(case.kind, come(case))
        _print(name, tally)
        wrong += tally.total["wrong"] + tally.total["lost"]
    return 1 if wrong else 0


def _parquet(folder: Path) -> int:
    tally = Tally()
    for kind in ("data", "bad_data"):
        for path in sorted((folder / kind).rglob("*.parquet")):
            tally.add(kind, *parquet_outcome(path))
    _print("nequi_lake", tally)
    return 1 if tally.total["wrong"] + tally.total["lost"] else 0


def _wild(folder: Path) -> int:
    sys.stdout.write("set             lines  columns  TODOs     rows  seconds  equal to an independent reader\n")
    failed = 0
    for each in sorted(path for path in folder.iterdir() if path.is_dir()):
        try:
            found = try_set(each)
        except NequiLakeError as error:
            failed += 1
            sys.stdout.write(f"{each.name:<14}  {error.what}\n")
            continue
        failed += bool(found.differences)
        said = "; ".join(f"{name}: {what}" for name, what in found.differences.items()) or "yes"
        figures = f"{found.lines:>6}  {found.columns:>7}  {found.todos:>5}  {found.rows:>7,}  {found.seconds:>7.1f}"
        sys.stdout.write(f"{found.name:<14} {figures}  {said}\n")
    return 1 if failed else 0


def _print(name: str, tally: Tally) -> None:
    sys.stdout.write(f"{name}\n" + "\n".join(tally.lines()) + "\n")


if __name__ == "__main__":
    sys.exit(main())
