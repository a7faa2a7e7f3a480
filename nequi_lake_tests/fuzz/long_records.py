"""Records around and over the longest that one may be: each is read whole, or put aside as one record."""

from __future__ import annotations

import codecs
import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from hypothesis import strategies as st

from nequi_lake.engines.polars import stage
from nequi_lake.formats import TextFile
from nequi_lake.lake.quarantine import newest_quarantine
from nequi_lake.lake.release import Release
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage import open_storage
from nequi_lake_tests.datasets.kept import kept_file
from nequi_lake_tests.fuzz.cases import FORMATS, in_order, rows_of
from nequi_lake_tests.fuzz.outcomes import came

LIMIT = 400
"""The most bytes of a record here, its line end among them."""
SOUND = 100


@dataclass(frozen=True)
class Long:
    """A record of a given length.

    Attributes:
        size: its bytes, with the line end.
        kind: how it is written: plain, in quotes, over many lines, or with characters of several bytes.
        place: before which of the sound records.
    """

    size: int
    kind: str
    place: int


@dataclass(frozen=True)
class Records:
    """A file with long records.

    Attributes:
        form: of which format it is.
        longs: the long records.
        mark: whether it begins with a byte order mark.
        end: how lines end.
        is_damaged: whether it has a damaged record too, so that no file is taken as sound at once.
        is_ended: whether the last line has an end.
    """

    form: str
    longs: tuple[Long, ...]
    mark: bool
    end: bytes
    is_damaged: bool
    is_ended: bool

    def records(self) -> list[bytes]:
        """The records, in order."""
        form = FORMATS[self.form]
        records = [record.replace(b"\r\n", b"\n").replace(b"\n", self.end) for record in form.records[:SOUND]]
        for number, long in enumerate(sorted(self.longs, key=lambda one: -one.place)):
            records.insert(long.place, _record(self.form, 1000 + number, long, self.end))
        if self.is_damaged:
            records.insert(1, b"1,2,3" + self.end)
        if not self.is_ended:
            records[-1] = records[-1].removesuffix(self.end)
        return records


def _record(form: str, number: int, long: Long, end: bytes) -> bytes:
    filler = {"wide": "é☕", "many lines": "words\n"}.get(long.kind, "words ")
    if form == "CSV":
        quote = '"' if long.kind in ("quoted", "many lines") else ""
        head, tail = f"{number},{quote}".encode(), quote.encode() + end
        filler = filler.replace("\n", end.decode())
    else:
        # The filler is one character that needs no escape.
        filler = filler.replace("\n", " ")
        head, tail = f'{{"id": {number}, "text": "'.encode(), b'", "more": null}' + end
    body = (filler.encode() * (long.size // len(filler) + 1))[: long.size - len(head) - len(tail)]
    text = body.decode(errors="ignore").rstrip("\r").encode()
    return head + text + b"x" * (len(body) - len(text)) + tail


RECORDS = st.builds(
    Records,
    form=st.sampled_from(list(FORMATS)),
    longs=st.lists(
        st.builds(
            Long,
            size=st.one_of(
                *(st.integers(times * LIMIT - 3, times * LIMIT + 3) for times in (1, 1, 2, 3)),
                st.integers(LIMIT // 2, 20 * LIMIT),
            ),
            kind=st.sampled_from(["plain", "quoted", "many lines", "wide"]),
            place=st.integers(0, SOUND),
        ),
        min_size=1,
        max_size=3,
    ).map(tuple),
    mark=st.booleans(),
    end=st.sampled_from([b"\n", b"\r\n"]),
    is_damaged=st.booleans(),
    is_ended=st.booleans(),
)


def is_whole_or_put_aside(case: Records) -> None:
    """Stage a file with long records.

    Raises:
        AssertionError: a record over the limit is read, or one within it is not, or a part of one is.
    """
    form = FORMATS[case.form]
    (file,), (table,) = form.dataset.files, form.dataset.tables
    assert isinstance(file, TextFile)
    dataset = replace(form.dataset, files=(replace(file, max_record_bytes=LIMIT),))
    records = case.records()
    release = Release(id="r", run_id="run", raw_version="v", tables=(table.name,))
    with tempfile.TemporaryDirectory() as name:
        content = codecs.BOM_UTF8 * case.mark + form.head.replace(b"\n", case.end) + b"".join(records)
        kept = kept_file(dataset, Path(name), content)
        too_many = [number for number, text in enumerate(records) if len(text) > LIMIT]
        # What spans more lines than a record may have bytes is as a quote that is never closed: each line is a record.
        torn = [number for number in too_many if b"\n" in records[number].removesuffix(case.end)]
        if not kept.readable:
            came(f"long record of {case.form}: file refused")
            assert torn or len(too_many) + case.is_damaged > 1
            return
        storage = open_storage(Settings.from_env({"NEQUI_LAKE_URI": str(Path(name, "lake"))}))
        staged = stage(dataset, {file.name: kept}, [table.name], release, storage)[table.name]
        bad = newest_quarantine(storage, dataset, table).collect()
        rows = rows_of(staged, storage)
    aside = {*too_many, *([1] if case.is_damaged else [])}
    came(f"long record of {case.form}: " + ("put aside" if too_many else "read"))
    sound = in_order(form.row(text) for number, text in enumerate(records) if number not in aside)
    if torn:
        assert set(map(repr, rows)) - {repr(form.row(records[number])) for number in torn} == set(map(repr, sound))
        return
    assert rows == sound
    assert set(bad["record"]) == aside
    for number, raw in bad.select("record", "raw").rows():
        body = records[number].removesuffix(case.end)
        assert body.decode(errors="replace").startswith(json.loads(raw)["text"][:100])
        assert json.loads(raw).get("size_bytes", len(body)) == len(body)
