"""Is the raw file whole? One pass over its bytes before an engine reads it, which also counts its records.

Engines read a short row as empty values and fail a whole file for one byte, so nothing but this pass says what is
wrong with a file, and where. A few damaged records do not make a file useless: staging puts them aside.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import polars as pl
import polars.exceptions

from nequi_lake.datasets.spec import CsvFile, JsonLinesFile, RawFile
from nequi_lake.lake.damage import judged, not_utf8
from nequi_lake.lake.lines import Record, csv_records
from nequi_lake.progress import bar, watched
from nequi_lake.quality.check import Check

FILE_IS_WHOLE = "file_is_whole"
PROBLEMS_SHOWN = 5


@dataclass(frozen=True)
class Problem:
    """Something wrong with a file.

    Attributes:
        line: the line, from 1, on which the record begins, or None for the whole file.
        reason: what is wrong.
        part: in which part of the file, where it has several.
    """

    line: int | None
    reason: str
    part: str | None = None

    def __str__(self) -> str:
        where = [*([self.part] if self.part else []), *([f"line {self.line}"] if self.line else [])]
        return f"{', '.join(where)}: {self.reason}" if where else self.reason


@dataclass(frozen=True, kw_only=True)
class Structure:
    """What the pass found.

    Attributes:
        records: records, the header not among them.
        lines: lines, the header among them.
        problems: the first of what is wrong.
        problem_count: how many there are.
        damaged: records that cannot be read and can be told from the others. Where something else is wrong, the file
            is of no use.
        marked: whether it begins with a byte order mark, which readers of its format take for content.
    """

    records: int = 0
    lines: int = 0
    problems: tuple[Problem, ...] = ()
    problem_count: int = 0
    damaged: int = 0
    marked: bool = False

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problem_count

    def loads(self, limit: float) -> bool:
        """Whether the file can be read but for its damaged records, and these are within ``limit``, a share."""
        if self.whole:
            return True
        return self.problem_count == self.damaged < self.records and self.damaged / self.records <= limit


def inspect(file: RawFile, path: Path) -> Structure:
    """Look at the structure of a file, or of a part of it.

    A file that the lake keeps without reading it only has to have content.
    """
    with path.open("rb") as stream:
        beginning = stream.read(1024)
    if beginning in (b"", codecs.BOM_UTF8):
        return _refused("the file is empty")
    head = beginning.removeprefix(codecs.BOM_UTF8).lstrip()
    if head.startswith(b"version https://git-lfs.github.com/spec/"):
        return _refused("the file is a Git LFS pointer, not the content that it points to")
    if head[:15].lower().startswith((b"<!doctype html", b"<html")):
        return _refused("the file is a web page, perhaps an error page of the download")
    match file:
        case CsvFile():
            return _inspect_csv(file, path)
        case JsonLinesFile():
            if head.startswith(b"["):
                return _refused("the file is one JSON array; one JSON object a line is expected", line=1)
            return replace(_examine(file, path), marked=beginning.startswith(codecs.BOM_UTF8))
        case _:
            return Structure()


def together(file: RawFile, parts: Mapping[str, Structure]) -> Structure:
    """The structure of a whole file: part → the part's."""
    if file.field_paths and all(part.whole and not part.records for part in parts.values()):
        return _refused("the file has a header and no records")
    if len(parts) == 1:
        return next(iter(parts.values()))
    problems = (replace(problem, part=name) for name, part in parts.items() for problem in part.problems)
    return Structure(
        records=sum(part.records for part in parts.values()),
        lines=sum(part.lines for part in parts.values()),
        problems=tuple(islice(problems, PROBLEMS_SHOWN)),
        problem_count=sum(part.problem_count for part in parts.values()),
        damaged=sum(part.damaged for part in parts.values()),
    )


def as_check(dataset: str, file: RawFile, structure: Structure, limit: float) -> Check:
    """The structure as the answer to ``file_is_whole``; ``limit`` is the share of records that may be damaged."""
    loads = structure.loads(limit)
    found = f"{structure.records:,} records on {structure.lines:,} lines"
    if structure.damaged:
        share = structure.damaged / structure.records
        found = f"{structure.damaged:,} of {structure.records:,} records ({share:.2%}) cannot be read"
        found += " and go to the quarantine" if loads else f", the limit is {limit:.2%}"
    if structure.problems:
        shown = "; ".join(map(str, structure.problems))
        more = structure.problem_count - len(structure.problems)
        found = (f"{found}: " if structure.damaged else "") + shown + (f"; and {more:,} more" if more else "")
    return Check(
        name=FILE_IS_WHOLE,
        subject=f"{dataset}/{file.name}",
        passed=structure.whole,
        warns=loads and not structure.whole,
        found=found,
        numbers={
            "records": structure.records,
            "lines": structure.lines,
            "problems": structure.problem_count,
            "damaged_records": structure.damaged,
            "damaged_share_allowed": limit,
        },
        fix="Get the file again from its publisher, or mend it there; if its layout changed on purpose, change the "
        "dataset's declaration.",
    )


def _refused(reason: str, line: int | None = None) -> Structure:
    return Structure(problems=(Problem(line, reason),), problem_count=1)


def _inspect_csv(file: CsvFile, path: Path) -> Structure:
    with path.open("rb") as stream:
        header = next(csv_records(stream))
    header_problem = _header_problem(file, header)
    if header_problem:
        return _refused(header_problem, line=1)
    return _count_sound_csv(file, path) or _examine(file, path)


def _count_sound_csv(file: CsvFile, path: Path) -> Structure | None:
    """Count the records of a file of which every line is a sound record; None where one calls for a closer look."""
    field = r'(?:[^",\r\x00]*|"(?:[^"\x00]|"")*")'
    sound = rf"\A{field}(?:,{field}){{{len(file.columns) - 1}}}\z"
    lines = pl.scan_lines(path, name="line", glob=False)
    try:
        with bar(f"checking {file.name}", None, "rows") as progress:
            count, good = (
                watched(lines.select(pl.col("line").str.contains(sound)), progress.update)
                .select(pl.len(), pl.col("line").sum().alias("good"))
                .collect(engine="streaming")
                .row(0)
            )
    except polars.exceptions.PolarsError:
        # Bytes that are not UTF-8.
        return None
    return Structure(records=count - 1, lines=count) if count == good else None


def _examine(file: RawFile, path: Path) -> Structure:
    """Look at each record of a file, one by one."""
    records = lines = damaged = 0
    problems: list[Problem] = []
    with path.open("rb") as stream, bar(f"examining {file.name}", path.stat().st_size, "B") as progress:
        for record in judged(file, stream):
            lines = record.line + record.text.count(b"\n") - record.text.endswith(b"\n")
            progress.update(len(record.text))
            records = record.number + 1
            if record.reason:
                damaged += 1
                if len(problems) < PROBLEMS_SHOWN:
                    problems.append(Problem(record.line, record.reason))
    return Structure(records=records, lines=lines, problems=tuple(problems), problem_count=damaged, damaged=damaged)


def _header_problem(file: CsvFile, header: Record) -> str | None:
    text = header.text
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "the file is in UTF-16; UTF-8 is expected"
    if b"\r" in text.removesuffix(b"\r\n").removesuffix(b"\r"):
        return "lines end in a carriage return alone"
    bad_bytes = not_utf8(text)
    if bad_bytes:
        return bad_bytes
    if not header.quotes_are_sound:
        return f"quotes in the header do not come out right: {text[:60].decode(errors='ignore').strip()}"
    names = next(csv.reader([text.decode()]), [])
    if names == list(file.columns):
        return None
    missing = [name for name in file.columns if name not in names]
    extra = [name for name in names if name not in file.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    found = [
        *([f"missing columns {_listed(missing)}"] if missing else []),
        *([f"unexpected columns {_listed(extra)}"] if extra else []),
        *([f"columns that stand twice: {_listed(twice)}"] if twice else []),
    ] or [f"the columns in another order: {_listed(names)}"]
    count = f"{len(names)} columns where {len(file.columns)} are declared: " if len(names) != len(file.columns) else ""
    return count + "; ".join(found)


def _listed(names: Iterable[str]) -> str:
    """Column names for a person, in quotes where something about them would not be seen."""
    seen = (name if name and name == name.strip() and name.isprintable() else ascii(name) for name in names)
    return ", ".join(seen)
