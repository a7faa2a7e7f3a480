"""Drafts the declaration of a dataset from its files: what is proposed is proved over all of their values."""

from __future__ import annotations

import keyword
import re
import tempfile
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nequi_lake.drafting.columns import draft_column
from nequi_lake.drafting.module import Found, module
from nequi_lake.drafting.relations import Records, find_key, find_references, in_order
from nequi_lake.drafting.sniff import sniff
from nequi_lake.drafting.sniffed import Sniffed, cannot_draft
from nequi_lake.drafting.values import ValueQueries, store, value_queries
from nequi_lake.errors import UsageError
from nequi_lake.formats import Structure
from nequi_lake.formats.local import scan_local
from nequi_lake.progress import bar

_WORDS_OF_MODULES = frozenset({"dy", "meta", "one_of", "pl"})
"""What a contract's columns are declared with, so that none of them may have such a name."""
_RESERVED = frozenset({"record"})
_NUMBER_AT_END = re.compile(r"(?:[\W_]*[0-9]+)+$")


def draft(name: str, paths: Iterable[Path], descriptions: Mapping[str, str], slug: str = "") -> str:
    """The text of a module that declares a dataset of these files.

    Args:
        name: of the dataset.
        paths: the files. Each becomes a table; those that differ by a number at the end of their names become one.
        descriptions: raw column → what it means, as far as that is known.
        slug: ``owner/name`` on Kaggle, where it is there.

    Raises:
        UsageError: a file is of no format that can be drafted, or has no records.
    """
    with tempfile.TemporaryDirectory(prefix="nequi-lake-draft-") as folder, value_queries(Path(folder)) as queries:
        delivered = [_Delivered.of(path, Path(folder, f"file-{number}")) for number, path in enumerate(paths)]
        names = [file.path.name for file in delivered]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise UsageError(f"Several files are called {', '.join(repeated)}.", fix="Draft from one of them.")
        drafter = _Drafter(queries, Path(folder))
        for group in _of_one_table(delivered):
            drafter.add(group)
        references = find_references(queries, drafter.tables)
        tables = in_order(drafter.tables, references)
        return "\n".join(module(Found(name, slug, tables, references, drafter.files, descriptions))) + "\n"


@dataclass(frozen=True)
class _Delivered:
    """A file, linked into a folder of its own that can be written into, and how it is written."""

    path: Path
    sniffed: Sniffed

    @classmethod
    def of(cls, path: Path, folder: Path) -> _Delivered:
        folder.mkdir()
        linked = folder / path.name
        linked.symlink_to(path.resolve())
        return cls(linked, sniff(linked))

    @property
    def stem(self) -> str:
        """Its name without endings."""
        return self.path.name.split(".")[0]

    @property
    def layout(self) -> object:
        """What is the same of files that feed one table."""
        file = self.sniffed.file
        types = [str(file.raw_type(column)) for column in file.field_paths]
        return _NUMBER_AT_END.sub("", self.stem), type(file), file.field_paths, tuple(types)


def _of_one_table(files: Iterable[_Delivered]) -> list[list[_Delivered]]:
    """The files, those of one table together."""
    groups: dict[object, list[_Delivered]] = {}
    for file in files:
        groups.setdefault(file.layout, []).append(file)
    return list(groups.values())


class _Drafter:
    """Drafts tables.

    Attributes:
        tables: those that were drafted.
        files: table → how its files are written.
    """

    def __init__(self, queries: ValueQueries, scratch: Path) -> None:
        self._queries, self._scratch = queries, scratch
        self._stored = 0
        self.tables: list[Records] = []
        self.files: dict[str, list[Sniffed]] = {}

    def add(self, group: Sequence[_Delivered]) -> None:
        """Draft the table of some files; a table for each where nothing tells the records of all of them apart."""
        stem = _NUMBER_AT_END.sub("", group[0].stem) if len(group) > 1 else group[0].stem
        table, sniffed = self._draft(stem, group)
        if not table.key and len(group) > 1:
            for file in group:
                self.add([file])
            return
        self.tables.append(table)
        self.files[table.table] = sniffed

    def _draft(self, stem: str, group: Sequence[_Delivered]) -> tuple[Records, list[Sniffed]]:
        name = names_for([*(table.table for table in self.tables), stem])[stem]
        scans = [(file, scan_local(file.sniffed.file, file.path, file.path.parent)) for file in group]
        for file, scan in scans:
            if scan.records is None:
                raise cannot_draft(str(scan.structure.problems[0]), file.path)
        declared = group[0].sniffed.file
        read = {column: declared.raw_value(column) for column in declared.field_paths if column not in declared.dropped}
        size_bytes = sum(file.path.stat().st_size for file in group)
        self._stored += 1
        stored = store(
            [scan.records for _, scan in scans if scan.records is not None],
            read,
            self._scratch / f"values-{self._stored}",
            size_bytes // sum(scan.structure.records for _, scan in scans),
        )
        columns, counts = {}, {}
        names = names_for(list(read))
        with bar(f"values of {name}", len(read), "columns") as progress:
            for source in read:
                dtype = declared.raw_type(source)
                if dtype.is_nested():
                    columns[names[source]] = draft_column(source, dtype, None, self._queries.missing(stored, source))
                else:
                    counts[source] = self._queries.count(stored, source, dtype)
                    columns[names[source]] = draft_column(source, dtype, counts[source])
                progress.update(1)
        table = Records(name, stored, counts, columns, find_key(self._queries, stored, columns))
        return table, [_with_damage(file.sniffed, scan.structure) for file, scan in scans]


def _with_damage(sniffed: Sniffed, structure: Structure) -> Sniffed:
    """How a file is written, with the records that cannot be read so."""
    if not structure.damaged:
        return sniffed
    bad = f"{structure.damaged:,} of {structure.records:,} records cannot be read, such as {structure.problems[0]}"
    return Sniffed(sniffed.file, (*sniffed.notes, bad))


def names_for(sources: Sequence[str]) -> dict[str, str]:
    """Raw column → its name in the contract: lower case letters, digits and _, each once."""
    found: dict[str, str] = {}
    for source in sources:
        plain = unicodedata.normalize("NFKD", re.sub("([a-z0-9])([A-Z])", r"\1_\2", source))
        name = re.sub("[^a-z0-9]+", "_", plain.encode("ascii", "ignore").decode().lower()).strip("_")
        name = name if re.match("[a-z]", name) else f"c_{name}".rstrip("_")
        name = f"{name}_" if keyword.iskeyword(name) or name in _WORDS_OF_MODULES else name[:60]
        base, number = name, 2
        while name in found.values() or name in _RESERVED:
            name, number = f"{base}_{number}", number + 1
        found[source] = name
    return found
