"""Small published tables of any content, and what is wrong with a page: for the tests of reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl

from nequi_lake import Lake, LakeTable
from nequi_lake.datasets.contract import column_meta
from nequi_lake.datasets.spec import Mart, Table
from nequi_lake.formats.types import sql_type
from nequi_lake.lake.release import Accounting, DataFile, FileAccount, PublishedTable, Release
from nequi_lake.lake.settings import Settings

_TYPES: dict[Any, Callable[..., dy.Column]] = {
    pl.Int64: dy.Int64,
    pl.Float64: dy.Float64,
    pl.String: dy.String,
    pl.Date: dy.Date,
    pl.Boolean: dy.Bool,
    pl.Decimal(18, 10): partial(dy.Decimal, 18, 10),
}


def lake_table(
    folder: Path,
    frame: pl.DataFrame,
    *,
    release: str = "first",
    quarantined: int = 0,
    raw: bool = True,
    units: Mapping[str, str] | None = None,
    null_limit: float = 1.0,
) -> LakeTable:
    """A published table of these rows behind a key ``row_id``, every other column of which may be missing altogether.

    Args:
        folder: where its file goes.
        frame: the rows.
        release: of which release it is.
        quarantined: records that were put aside.
        raw: whether it is a table, made of a raw file, and not a mart.
        units: of some columns; the others count things.
        null_limit: of every column.
    """
    columns: dict[str, dy.Column] = {
        "row_id": dy.Int64(primary_key=True, description="Number.", metadata=column_meta(unit="id", source="row_id"))
    }
    for name, dtype in frame.schema.items():
        told = column_meta(unit=(units or {}).get(name, "things"), source=name, null_limit=null_limit)
        columns[name] = _TYPES[dtype](nullable=True, description=f"What {name} is.", metadata=told)
    contract = type("Odd", (dy.Schema,), columns)
    path = folder / f"{release}.parquet"
    frame.with_row_index("row_id").with_columns(pl.col("row_id").cast(pl.Int64)).write_parquet(path)
    account = FileAccount(records=frame.height + quarantined, quarantined=quarantined)
    published = PublishedTable(
        dataset="odd",
        table="things",
        release=Release(id=release, run_id="run", raw_version="v1", tables=("things",)),
        accounting=Accounting(
            files={"things.csv": account} if raw else {}, accepted=frame.height, merged=0, expected_rows=frame.height
        ),
        files=(DataFile(path=str(path), rows=frame.height, size_bytes=path.stat().st_size),) if frame.height else (),
        snapshot_id=len(release),
        columns={"row_id": "bigint", **{name: sql_type(dtype) for name, dtype in frame.schema.items()}},
        published_at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    lake = Lake(Settings.from_env({"NEQUI_LAKE_URI": str(folder)}), {})
    relation = (Table if raw else Mart)(name="things", description="Things.", contract=contract)
    return LakeTable(relation, published, lake)


class _Page(HTMLParser):
    _VOID = ("meta", "link", "br", "input", "rect", "path")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.found: list[str] = []
        self.headings: list[int] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.tags[tag] += 1
        self.ids += [told["id"]] if told.get("id") else []  # type: ignore[list-item]
        self.links += [told["href"]] if told.get("href") else []  # type: ignore[list-item]
        self.found += [f"<{tag} {name}> runs code" for name in told if name.startswith("on")]
        if tag in ("h1", "h2", "h3", "h4"):
            self.headings.append(int(tag[1]))
        if tag == "th" and not told.get("scope"):
            self.found.append("a header cell has no scope")
        if tag == "svg" and not (told.get("aria-hidden") or (told.get("role") == "img" and told.get("aria-label"))):
            self.found.append("a drawing says nothing to those who do not see it")
        if tag == "nav" and not told.get("aria-label"):
            self.found.append("a navigation has no name")
        if tag not in self._VOID:
            self.open.append((tag, told))

    def handle_endtag(self, tag: str) -> None:
        if tag in self._VOID:
            return
        if not self.open or self.open[-1][0] != tag:
            self.found.append(f"</{tag}> ends {self.open[-1][0] if self.open else 'nothing'}")
        else:
            self.open.pop()


def problems(page: str) -> list[str]:
    """What a person, or a screen reader, would stumble over in a page."""
    return list(_problems(page))


def _problems(page: str) -> Iterator[str]:
    reader = _Page()
    reader.feed(page)
    reader.close()
    yield from reader.found
    yield from (f"<{tag}> is not ended" for tag, _ in reader.open)
    yield from _twice(reader.ids)
    yield from (f"{tag} is there {reader.tags[tag]} times" for tag in ("h1", "main", "script") if reader.tags[tag] != 1)
    inside = {link[1:] for link in reader.links if link.startswith("#")}
    yield from (f"a link leads to #{name}, which is not there" for name in sorted(inside - set(reader.ids)))
    outside = [link for link in reader.links if "://" in link]
    yield from (f"{link} is on a network" for link in outside)
    for before, after in zip(reader.headings, reader.headings[1:], strict=False):
        if after > before + 1:
            yield f"a heading of level {after} follows one of level {before}"


def _twice(names: Iterable[str]) -> Iterator[str]:
    yield from (f"id {name} is there {count} times" for name, count in Counter(names).items() if count > 1)
