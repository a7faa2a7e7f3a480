"""References of several columns: held in the audit and in the search for orphans, checked when they are declared."""

from __future__ import annotations

from pathlib import Path

import pytest

from nequi_lake import Lake, Reference
from nequi_lake.engines.fingerprint import release_id
from nequi_lake.errors import AuditError, DeclarationError
from nequi_lake.lake.settings import Settings
from nequi_lake.pipeline.mart import publish_marts
from nequi_lake.profiling.dictionary import dictionary_markdown, dictionary_page
from nequi_lake.warehouse.ddl import script
from nequi_lake_tests.conftest import released
from nequi_lake_tests.datasets.parcels import parcels


def lake_of(tmp_path: Path, lines: str, of_parcels: str) -> Lake:
    """A lake of two orders, and these lines and parcels."""
    folder = tmp_path / "inbox" / "parcels"
    folder.mkdir(parents=True)
    (folder / "orders.csv").write_text("order\n1\n2\n")
    (folder / "lines.csv").write_text(f"order,line\n{lines}")
    (folder / "parcels.csv").write_text(f"of_order,of_line\n{of_parcels}")
    env = {"NEQUI_LAKE_URI": str(tmp_path / "lake"), "NEQUI_LAKE_SOURCE": str(tmp_path / "inbox")}
    return Lake(Settings.from_env(env), {"parcels": parcels()})


def test_a_parcel_of_no_line_is_put_aside(tmp_path: Path) -> None:
    # Order and line are there, but not together; an order alone refers to nothing.
    lake = lake_of(tmp_path, "1,1\n1,2\n2,1\n", "1,1\n2,2\n2,1\n2,\n,9\n")
    released(lake, "parcels")
    assert lake.table("parcels.parcels").to_polars().sort("parcel").rows() == [
        (0, 1, 1),
        (2, 2, 1),
        (3, 2, None),
        (4, None, 9),
    ]
    (aside,) = lake.quarantine("parcels.parcels").iter_rows(named=True)
    assert aside["record"] == 1
    assert aside["rule"] == "parcels.of_order, of_line: lines has no such row, or its record is in the quarantine"
    (rule,) = lake.broken_rules("parcels.parcels")
    assert rule.example == '{"of_order": "2", "of_line": "2"}'


def test_a_parcel_goes_with_its_line_and_that_with_its_order(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, "1,1\n1,0\n3,1\n2,1\n", "1,1\n1,0\n3,1\n2,1\n")
    released(lake, "parcels")
    assert lake.table("parcels.lines").to_polars().sort("order").rows() == [(1, 1), (2, 1)]
    assert lake.quarantine("parcels.parcels")["record"].to_list() == [1, 2]


def test_the_audit_names_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = lake_of(tmp_path, "1,1\n2,1\n", "1,1\n1,2\n2,2\n")
    monkeypatch.setattr("nequi_lake.pipeline.tables.find_contradictions", lambda *_: None)
    with pytest.raises(AuditError) as refused:
        released(lake, "parcels")
    assert "2 rows have of_order, of_line together that lines does not have, such as [(1, 2), (2, 2)]" in str(
        refused.value
    )


def test_a_mart_refers_to_a_key_of_several_columns(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, "1,1\n1,2\n2,1\n", "1,1\n1,\n")
    released(lake, "parcels")
    (group,) = lake.datasets["parcels"].mart_groups
    assert publish_marts(lake, lake.datasets["parcels"], group, "test")["moved"].rows == 2
    (tmp_path / "inbox" / "parcels" / "parcels.csv").write_text("of_order,of_line\n2,1\n")
    released(lake, "parcels")
    with pytest.raises(AuditError, match=r"1 rows have of_order, of_line together that lines does not have.*\(2, 2\)"):
        publish_marts(lake, lake.datasets["parcels"], group, "test")


def test_dictionary_and_diagram_show_it() -> None:
    said = dictionary_markdown([parcels()])
    assert "- References: `of_order`, `of_line` → `lines`" in said
    assert '  lines ||--o{ parcels : "of_order, of_line"' in said
    assert "    bigint of_line FK" in said
    assert "| `of_line` | FK |" in said
    assert (
        "<code>parcels.of_order, of_line</code> refers to <code>lines</code>" in dictionary_page([parcels()]).decode()
    )


def test_a_warehouse_has_it_with_an_index() -> None:
    said = script(parcels())
    assert 'CREATE INDEX ON "parcels"."parcels" ("of_order", "of_line");' in said
    assert (
        'ALTER TABLE "parcels"."parcels" ADD FOREIGN KEY ("of_order", "of_line") '
        'REFERENCES "parcels"."lines" ("order", "line") DEFERRABLE INITIALLY DEFERRED;'
    ) in said


def test_it_is_part_of_the_release() -> None:
    other = parcels(Reference(("of_line", "of_order"), to="lines"))
    assert release_id(parcels(), []) != release_id(other, [])


WRONG = {
    "references= names of_ordr, which is no column": [Reference(("of_ordr", "of_line"), to="lines")],
    "columns of_order, of_line references lins, which is not listed before it": [
        Reference(("of_order", "of_line"), to="lins")
    ],
    "columns parcel, of_order, of_line references lines, whose key is order, line": [
        Reference(("parcel", "of_order", "of_line"), to="lines")
    ],
    "references= has of_order -> orders, of a single column: declare it with column_meta": [
        Reference(("of_order",), to="orders")
    ],
    "references= names of_order twice for lines": [Reference(("of_order", "of_order"), to="lines")],
    "references= has of_order, of_line -> lines twice": [Reference(("of_order", "of_line"), to="lines")] * 2,
}


@pytest.mark.parametrize("words", WRONG)
def test_what_cannot_be_held_is_refused(words: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        parcels(*WRONG[words])
    assert words in str(refused.value)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(DeclarationError) as refused:
        parcels(*(reference for references in WRONG.values() for reference in references))
    assert [words for words in WRONG if words not in str(refused.value)] == []
