"""A dataset that is declared outside of the package: notes, with a helper module and a mart."""

from __future__ import annotations

from pathlib import Path

import pytest

from nequi_lake.lake.settings import Settings

NOTES = '''\
"""Notes of one line each."""

import dataframely as dy
import polars as pl

from nequi_lake import CsvFile, Dataset, Table, column_meta
{imports}

class Notes(dy.Schema):
    """One row per note."""

    note = dy.Int64(primary_key=True, description="Number.", metadata=column_meta(unit="id", source="note"))
    text = dy.String(description="What it says.", metadata=column_meta(unit="text", source="text"))


DATASET = Dataset(
    name="{name}",
    files=(CsvFile(name="notes.csv", description="Notes.", columns=("note", "text")),),
    tables=(Table(name="notes", description="Notes.", contract=Notes{parse}),),{marts}
)
'''
"""The text of a module, with places for what a test adds."""


def notes(name: str = "notes", *, imports: str = "", parse: str = "", marts: str = "") -> str:
    """A module that declares notes under a name."""
    return NOTES.format(name=name, imports=imports, parse=parse, marts=marts)


class Outside:
    """A lake, a folder of modules and a folder source, all below one folder.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self.modules = root / "mine"
        self.modules.mkdir()
        self._root = root

    def write(self, **texts: str) -> None:
        """Modules of these names and texts; ``__`` in a name is a folder's slash."""
        for name, text in texts.items():
            path = self.modules / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)

    def deliver(self, dataset: str, *lines: str) -> None:
        """Put notes into the folder source."""
        path = self._root / "inbox" / dataset / "notes.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in ("note,text", *lines)))

    @property
    def environment(self) -> dict[str, str]:
        """The variables that name all of it."""
        return {
            "NEQUI_LAKE_URI": str(self._root / "lake"),
            "NEQUI_LAKE_DATASETS": str(self.modules),
            "NEQUI_LAKE_SOURCE": str(self._root / "inbox"),
        }

    def settings(self, **more: str) -> Settings:
        """The settings of these variables."""
        return Settings.from_env({**self.environment, **more})

    def export(self, patch: pytest.MonkeyPatch, **more: str) -> None:
        """Set these variables in the process."""
        for name, value in {**self.environment, **more}.items():
            patch.setenv(name, value)


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    """An empty folder of modules, with its lake and inbox."""
    return Outside(tmp_path)
