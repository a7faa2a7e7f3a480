"""DuckDB over the lake leaves nothing where somebody asks from."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from nequi_lake.lake.read.query import connect


def test_what_does_not_fit_in_memory_spills_beside_the_system_s_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with connect({}, memory_limit="48MB") as connection:
        folder = Path(connection.sql("SELECT current_setting('temp_directory')").fetchall()[0][0])
        connection.execute("SELECT i, hash(i) AS h FROM range(4000000) AS numbers(i) ORDER BY h")
        assert list(folder.iterdir())
        assert list(tmp_path.iterdir()) == []
    assert not folder.exists()


def test_a_connection_cannot_be_given_files(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    with connect({}) as connection, pytest.raises(duckdb.Error):
        connection.sql(f"SELECT * FROM '{tmp_path / 'a.csv'}'")
