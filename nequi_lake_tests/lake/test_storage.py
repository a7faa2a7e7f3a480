"""A name in the lake has its whole content or is not there, whatever happens to the writer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem

from nequi_lake.lake.storage import StorageBackend

OLD, NEW = b"old" * 100, b"new" * 10_000


def names(storage: StorageBackend, folder: str) -> list[str]:
    """All that is in a folder of the lake, hidden files too."""
    return sorted(path.name for path in Path(storage.path(folder)).iterdir())


class DiskFullError(OSError):
    """What the system says when a write cannot end."""


def refuse(draft: str, target: str) -> None:
    """Stand in for a rename that fails."""
    raise DiskFullError


def write_half(self: LocalFileSystem, path: str, content: bytes) -> None:
    """Stand in for a write that breaks off in the middle."""
    Path(path).write_bytes(content[: len(content) // 2])
    raise DiskFullError


def test_a_path_is_absolute_within_the_lake(storage: StorageBackend, tmp_path: Path) -> None:
    assert storage.path("raw", "cite_sum", "current.json") == f"{tmp_path}/lake/raw/cite_sum/current.json"
    assert storage.link(storage.path("my report.html")) == f"file://{tmp_path}/lake/my%20report.html"


def test_what_was_written_is_read(storage: StorageBackend) -> None:
    path = storage.path("a", "deep", "folder", "file.bin")
    storage.write(path, NEW)
    assert storage.read(path) == NEW
    with storage.open(path) as stream:
        assert stream.read(6) == b"newnew"


def test_a_write_replaces_and_leaves_nothing_else(storage: StorageBackend) -> None:
    path = storage.path("folder", "file")
    storage.write(path, OLD)
    storage.write(path, NEW)
    assert storage.read(path) == NEW
    assert names(storage, "folder") == ["file"]


@pytest.mark.parametrize(
    ("owner", "step", "failing"),
    [(LocalFileSystem, "pipe_file", write_half), (os, "replace", refuse)],
    ids=["in the middle", "at the end"],
)
@pytest.mark.parametrize("before", [None, OLD], ids=["new", "kept"])
def test_a_write_that_fails_leaves_what_was_there(
    storage: StorageBackend,
    monkeypatch: pytest.MonkeyPatch,
    owner: object,
    step: str,
    failing: object,
    before: bytes | None,
) -> None:
    path = storage.path("folder", "file")
    if before:
        storage.write(path, before)
    monkeypatch.setattr(owner, step, failing)
    with pytest.raises(DiskFullError):
        storage.write(path, NEW)
    assert storage.exists(path) == bool(before)
    assert not before or storage.read(path) == before


def test_a_reader_never_sees_a_part(storage: StorageBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    path = storage.path("folder", "file")
    storage.write(path, OLD)
    seen = []
    replace = os.replace

    def look_and_replace(draft: str, target: str) -> None:
        seen.append((storage.read(path), Path(draft).read_bytes()))
        replace(draft, target)
        seen.append((storage.read(path), b""))

    monkeypatch.setattr(os, "replace", look_and_replace)
    storage.write(path, NEW)
    assert seen == [(OLD, NEW), (NEW, b"")]


def test_a_file_is_taken_into_the_lake(storage: StorageBackend, tmp_path: Path) -> None:
    local = tmp_path / "local"
    local.write_bytes(NEW)
    path = storage.path("raw", "file")
    storage.upload(local, path)
    assert storage.read(path) == NEW
    assert not local.exists()
    assert names(storage, "raw") == ["file"]


def test_a_take_that_fails_leaves_the_old_content(
    storage: StorageBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = storage.path("raw", "file")
    storage.write(path, OLD)
    (tmp_path / "local").write_bytes(NEW)
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(DiskFullError):
        storage.upload(tmp_path / "local", path)
    assert storage.read(path) == OLD


def test_names_of_a_folder_are_listed_in_order(storage: StorageBackend) -> None:
    for name in ("b", "a", "c/d"):
        storage.write(storage.path("folder", name), b"")
    assert storage.list(storage.path("folder")) == ["a", "b", "c"]


def test_a_folder_that_is_not_there_has_no_names(storage: StorageBackend) -> None:
    storage.write(storage.path("file"), b"")
    assert storage.list(storage.path("nowhere")) == []
    assert storage.list(storage.path("file")) == []


def test_a_file_or_a_folder_is_removed_and_nothing_beside_it(storage: StorageBackend) -> None:
    for name in ("one/a", "one/deep/b", "other"):
        storage.write(storage.path(name), b"")
    storage.remove(storage.path("one"))
    assert storage.list(storage.path()) == ["other"]
    storage.remove(storage.path("other"))
    assert not storage.exists(storage.path("other"))


def test_removing_what_is_not_there_is_nothing(storage: StorageBackend) -> None:
    storage.write(storage.path("other"), b"")
    storage.remove(storage.path("one"))
    assert storage.list(storage.path()) == ["other"]


def test_scratch_is_on_the_lake_s_own_disk_and_gone_at_the_end(storage: StorageBackend) -> None:
    with storage.scratch("loans") as folder:
        assert folder.is_relative_to(storage.uri)
        assert list(folder.iterdir()) == []
        (folder / "file").write_bytes(NEW)
    assert not folder.exists()


def test_scratch_is_gone_after_a_failure_too(storage: StorageBackend) -> None:
    used = []

    def break_off() -> None:
        with storage.scratch("loans") as folder:
            used.append(folder)
            (folder / "file").write_bytes(NEW)
            raise DiskFullError

    with pytest.raises(DiskFullError):
        break_off()
    assert [folder.exists() for folder in used] == [False]


def test_two_scratches_are_apart(storage: StorageBackend) -> None:
    with storage.scratch("loans") as one, storage.scratch("motor") as other:
        (one / "file").write_bytes(OLD)
        assert not (other / "file").exists()


def test_what_a_killed_run_left_in_its_scratch_is_gone_in_the_next(storage: StorageBackend) -> None:
    left = Path(storage.path(".scratch", "loans", "half a file"))
    left.parent.mkdir(parents=True)
    left.write_text("half")
    with storage.scratch("loans") as folder:
        assert list(folder.iterdir()) == []


def test_a_write_that_fails_leaves_no_draft(
    storage: StorageBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(DiskFullError):
        storage.write(storage.path("folder", "file"), NEW)
    assert [p.name for p in (tmp_path / "lake" / "folder").iterdir()] == []
