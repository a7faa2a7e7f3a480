"""Deliveries of oddly named files: all that is found is read, or named, or the delivery is refused."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path, PurePosixPath

from hypothesis import strategies as st

from nequi_lake.engines.polars import stage
from nequi_lake.errors import NequiLakeError
from nequi_lake.formats.limit import UnpackLimits
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage import open_storage
from nequi_lake.pipeline.fetch import receive
from nequi_lake.sources.folder import FolderSource
from nequi_lake_tests.datasets.notes import NOTES, RELEASE
from nequi_lake_tests.fuzz.cases import rows_of
from nequi_lake_tests.fuzz.outcomes import came, logged, result_or_refusal

LIMITS = UnpackLimits(max_bytes=2**20, max_ratio=1000, max_members=100)


class Kind(Enum):
    """What a name in a delivery says."""

    WHOLE = auto()
    PART = auto()
    REFUSED = auto()
    OTHER = auto()
    PASSED_OVER = auto()


NAMES: dict[str, Kind] = {
    "notes.csv": Kind.WHOLE,
    **{f"notes/part-{number}.csv": Kind.PART for number in (0, 1, 2, 3, "01", "00002")},
    "notes.csv/part-2.csv": Kind.PART,
    **dict.fromkeys(
        [
            *("notes/part-2.CSV", "notes/PART-2.csv", "notes/part_2.csv", "notes/part 2.csv", "notes/part-2 (1).csv"),
            *("notes/part-2.csv.zip", "notes/part-2.csv.gz", "notes/part-2.csv.crdownload", "notes/more/part-2.csv"),
            *("notes_2.csv", "NOTES.csv", "notes (1).csv", "notes - Copy.csv", "Copy of notes.csv", "notes.csv.part"),
            *("notes.csv.zip", "old/notes.csv", "notes.csv.txt", "notes-00001-of-00002.csv", "notes.7z"),
        ],
        Kind.REFUSED,
    ),
    **dict.fromkeys(["README.txt", "other.csv", "sub/about.md", "notes.csv.sha256", "notes_v2.csv"], Kind.OTHER),
    **dict.fromkeys([".DS_Store", "_SUCCESS", "notes/_SUCCESS", ".notes.csv.swp", "_old/notes.txt"], Kind.PASSED_OVER),
}
ZIPPED: dict[str, Kind] = {
    **{"notes.csv": Kind.WHOLE, "data/notes.csv": Kind.WHOLE},
    **{f"notes/part-{number}.csv": Kind.PART for number in range(3)},
    **{"notes.csv.gz": Kind.REFUSED, "about.md": Kind.OTHER, "__MACOSX/._notes.csv": Kind.PASSED_OVER},
}
ZIPS = ("notes.zip", "download.ZIP")


def content_of(number: int) -> bytes:
    """A file of three records that no other number has, or of none."""
    return b"id,text\n" + b"".join(b"%d,of %d\n" % (3 * number + one, number) for one in range(3 * (number > 0)))


@dataclass(frozen=True)
class Delivery:
    """A folder of a source.

    Attributes:
        files: name → number of its content.
        zips: name → its members, each with the number of its content.
        odd: the name of one more file, of which no model says what it is; none by default.
    """

    files: Mapping[str, int]
    zips: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    odd: str = ""


ODD_CONTENT = 99


def read_of(delivery: Delivery) -> list[int] | None:
    """The numbers of the contents that are read, without the odd file; None where the delivery is refused."""
    places = [_read_of_one(delivery.files, NAMES), *(_read_of_one(found, ZIPPED) for found in delivery.zips.values())]
    holding = [found for found in places if found != []]
    return holding[0] if len(holding) == 1 else None


def _read_of_one(found: Mapping[str, int], names: Mapping[str, Kind]) -> list[int] | None:
    """The same of one place; nothing where it has no data."""
    kinds = [names[name] for name in found]
    wholes, parts = kinds.count(Kind.WHOLE), kinds.count(Kind.PART)
    if Kind.REFUSED in kinds or wholes > 1 or (wholes and parts):
        return None
    data = {name: number for name, number in found.items() if names[name] in (Kind.WHOLE, Kind.PART)}
    with_records = [number for number in data.values() if number]
    numbers = sorted(int(PurePosixPath(name).stem.partition("-")[2]) for name in data) if parts else []
    is_whole_row = not numbers or numbers in [list(range(low, low + len(numbers))) for low in (0, 1)]
    is_repeated = len(with_records) > len(set(with_records))
    return None if not is_whole_row or is_repeated or (data and not with_records) else list(data.values())


_CONTENTS = st.sampled_from([0, *range(1, 30)])
_ODD = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["", "", "notes/", "notes.csv/", "Notes/", "notes/more/", "a/b/", "other/"]),
    st.sampled_from(["notes", "Notes", "NOTES", "note", "notes_v2", "part", "Part", "teil", "nötes", "ñ\n"]),
    st.sampled_from(["-", "_", " ", ".", "", " - ", "--", "-m-", "-r-"]),
    st.sampled_from(["", "1", "2", "007", "(1)", "copy", "2-of-3", "1" * 30, "2024-01", "²", "٣"]),
    st.sampled_from([".csv", ".CSV", ".csv ", ".csv.gz", ".csv.zip", ".txt", ".json", "", ".csv.tmp", ".csv~", ".tsv"]),
)
_HARMLESS = [name for name, kind in NAMES.items() if kind in (Kind.OTHER, Kind.PASSED_OVER)]
_SOUND = st.integers(1, 4).map(lambda count: [f"notes/part-{number}.csv" for number in range(count)])
DELIVERIES = st.builds(
    Delivery,
    files=st.tuples(
        st.sampled_from([[], ["notes.csv"]]) | _SOUND | _SOUND,
        st.sampled_from([[], [], *([name] for name in NAMES)]),
        st.lists(
            st.sampled_from([name for name, kind in NAMES.items() if kind.value > Kind.REFUSED.value]), max_size=3
        ),
    ).flatmap(lambda names: st.fixed_dictionaries({name: _CONTENTS for part in names for name in part})),
    zips=st.dictionaries(
        st.sampled_from(ZIPS), st.dictionaries(st.sampled_from(list(ZIPPED)), _CONTENTS, max_size=3), max_size=2
    ).flatmap(lambda zips: st.sampled_from([{}, {}, {}, zips])),
    odd=_ODD.flatmap(lambda odd: st.sampled_from(["", odd])),
).filter(lambda delivery: _fits_a_folder(delivery))


def _fits_a_folder(delivery: Delivery) -> bool:
    """Whether no name is that of a folder of another."""
    names = {*delivery.files, *([delivery.odd] if delivery.odd else [])}
    folders = {str(folder) for name in names for folder in PurePosixPath(name).parents}
    return not names & folders and delivery.odd not in {*delivery.files, *ZIPS}


def is_read_named_or_refused(delivery: Delivery) -> None:
    """Receive a delivery, and stage it.

    Raises:
        AssertionError: rows are missing or too many, a file is left out without a word, or the delivery is refused
            without reason.
    """
    with tempfile.TemporaryDirectory() as name, logged() as messages:
        folder, into = Path(name, "source", "notes"), Path(name, "into")
        into.mkdir()
        write(delivery, folder)
        expected = read_of(delivery)
        source = FolderSource(str(folder.parent), limits=LIMITS)
        received = result_or_refusal(lambda: receive(NOTES, source, into))
        if isinstance(received, NequiLakeError):
            came("delivery: refused")
            assert received.fix
            assert delivery.odd or expected is None, received
            assert str(folder) in str(received)
            return
        (kept,) = received
        if not kept.readable:
            came("delivery: has no records")
            assert delivery.odd or expected is None
            return
        came("delivery: read")
        storage = open_storage(Settings.from_env({"NEQUI_LAKE_URI": str(Path(name, "lake"))}))
        staged = stage(NOTES, {kept.file: kept}, ["notes"], RELEASE, storage)["notes"]
        numbers = sorted({int(row[0]) // 3 for row in rows_of(staged, storage)})
        assert len(rows_of(staged, storage)) == 3 * len(numbers) == kept.records
        said = "\n".join(messages)
        if delivery.odd and ODD_CONTENT not in numbers:
            came("delivery: the odd one is named")
            assert any(form in said for form in (delivery.odd, ascii(delivery.odd)[1:-1]))
            is_beside_parts = str(PurePosixPath(delivery.odd).parent) in {
                str(PurePosixPath(path).parent) for path in delivery.files if NAMES[path] is Kind.PART
            }
            assert not (is_beside_parts and delivery.odd.casefold().strip().endswith(".csv"))
        without_odd = [number for number in numbers if number != ODD_CONTENT]
        assert (expected is None and delivery.odd) or without_odd == sorted(
            number for number in expected or [] if number
        )
        for path, kind in _all_of(delivery):
            assert kind is not Kind.OTHER or path in said


def _all_of(delivery: Delivery) -> list[tuple[str, Kind]]:
    zipped = [(path, ZIPPED[path]) for found in delivery.zips.values() for path in found]
    return [(path, NAMES[path]) for path in delivery.files] + zipped


def write(delivery: Delivery, folder: Path) -> None:
    """Write a delivery into a folder."""
    folder.mkdir(parents=True)
    for path, number in {**delivery.files, **({delivery.odd: ODD_CONTENT} if delivery.odd else {})}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content_of(number))
    for path, found in delivery.zips.items():
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as opened:
            for member, number in found.items():
                opened.writestr(member, content_of(number))
        (folder / path).write_bytes(archive.getvalue())
