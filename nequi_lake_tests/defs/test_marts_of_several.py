"""A mart that reads tables of two datasets: made anew when either has a new release, and of the releases of both."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import dagster as dg
import pytest

from nequi_lake import Lake
from nequi_lake.cli import main
from nequi_lake.defs.build import build
from nequi_lake.defs.run import Outcome, run
from nequi_lake.lake.declared import declarations
from nequi_lake.lake.raw_file import RawPart
from nequi_lake.lake.settings import Settings
from nequi_lake.pipeline.mart import publish_marts
from nequi_lake_tests.conftest import released
from nequi_lake_tests.datasets.outside import Outside, notes

pytestmark = pytest.mark.long

MART = '''\
import dataframely as dy

from nequi_lake import Mart, column_meta


class Both(dy.Schema):
    """One row per note with a memo of its number."""

    note = dy.Int64(
        primary_key=True, description="Number.", metadata=column_meta(unit="id", derived_from=["notes.note"])
    )
    texts = dy.String(
        description="Both texts.",
        metadata=column_meta(unit="text", derived_from=["notes.text", "memos.notes.text", "memos.notes.note"]),
    )


MARTS = (Mart(name="both", description="Notes with their memos.", contract=Both),)
'''
SQL = """\
SELECT note, notes.text || ' / ' || memos.text AS texts
FROM notes.notes AS notes JOIN memos.notes AS memos USING (note)
"""
KEY = dg.AssetKey(["marts", "notes", "both"])


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    """Notes and memos of a folder, and a mart of both."""
    made = Outside(tmp_path)
    made.write(
        notes=notes(imports="from both import MARTS", marts="\n    marts=MARTS,"), memos=notes("memos"), both=MART
    )
    (made.modules / "both.sql").write_text(SQL)
    made.deliver("notes", "1,Pay", "2,Wait")
    made.deliver("memos", "2,soon")
    return made


@pytest.fixture
def settings(outside: Outside) -> Settings:
    """Of a lake of these two."""
    return outside.settings(NEQUI_LAKE_BUILT_IN="off")


def made(settings: Settings, *names: str) -> Outcome:
    """Run the datasets of these names."""
    outcome = run(build(settings), names, instance=None)
    assert outcome.success, outcome.failures
    return outcome


def rows(settings: Settings) -> list[tuple[int, str]]:
    """What readers see of the mart."""
    return [(row["note"], row["texts"]) for row in Lake(settings).sql("FROM notes.both ORDER BY note").to_pylist()]


def test_one_run_of_the_lake_makes_it_after_both(settings: Settings) -> None:
    made(settings)
    assert rows(settings) == [(2, "Wait / soon")]
    lake = Lake(settings)
    release = lake.table("notes.both").published.release
    memos = lake.table("memos.notes").published.release
    assert release.source_release == lake.table("notes.notes").published.release.id
    assert release.other_releases == (f"memos {memos.id}",)
    assert release.source == ", ".join(
        lake.table(f"{name}.notes").published.release.source for name in ("notes", "memos")
    )


@pytest.mark.parametrize(
    ("dataset", "delivered", "expected"),
    [
        ("memos", ("1,now", "2,soon"), [(1, "Pay / now"), (2, "Wait / soon")]),
        ("notes", ("2,Stay",), [(2, "Stay / soon")]),
    ],
)
def test_a_new_release_of_either_makes_it_anew(
    outside: Outside, settings: Settings, dataset: str, delivered: tuple[str, ...], expected: list[tuple[int, str]]
) -> None:
    made(settings)
    before = Lake(settings).table("notes.both").published.release
    outside.deliver(dataset, *delivered)
    made(settings, dataset)
    assert rows(settings) == expected
    assert Lake(settings).table("notes.both").published.release.id != before.id
    assert expected[-1][1] in Path(settings.uri, "profiling_reports", "notes", "both.html").read_text()


def test_it_waits_until_both_were_published(settings: Settings) -> None:
    made(settings, "notes")
    assert "both" not in Lake(settings).published(Lake(settings).datasets["notes"])
    made(settings, "memos")
    assert rows(settings) == [(2, "Wait / soon")]


def test_the_same_releases_are_the_same_mart(settings: Settings) -> None:
    lake = Lake(settings)
    for name in ("notes", "memos"):
        released(lake, name)
    dataset = lake.datasets["notes"]
    first = publish_marts(lake, dataset, dataset.mart_groups[0], "one")["both"]
    again = publish_marts(lake, dataset, dataset.mart_groups[0], "two")["both"]
    assert (again.release, again.snapshot_id) == (first.release, first.snapshot_id)


def test_lineage_and_jobs_lead_from_one_dataset_to_the_other(settings: Settings) -> None:
    definitions = build(settings)
    graph = definitions.resolve_asset_graph()
    parents = {key.to_user_string() for key in graph.get(KEY).parent_keys}
    assert parents == {"processed/notes/notes", "processed/memos/notes"}
    lineage = graph.get(KEY).metadata["dagster/column_lineage"].deps_by_column["texts"]
    assert {(dep.asset_key.to_user_string(), dep.column_name) for dep in lineage} == {
        ("processed/notes/notes", "text"),
        ("processed/memos/notes", "text"),
        ("processed/memos/notes", "note"),
    }
    keys = definitions.resolve_job_def("memos").asset_layer.executable_asset_keys
    assert {key.to_user_string() for key in keys if key.path[1] == "notes"} == {
        "marts/notes/both",
        "profiling_reports/notes/both_report",
        "profiling_reports/notes/index",
    }


def test_what_is_made_of_a_sample_too_is_one(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(settings)
    released(lake, "notes")
    monkeypatch.setattr("nequi_lake.sources.folder.RawPart", partial(RawPart, is_sample=True))
    released(lake, "memos")
    dataset = lake.datasets["notes"]
    assert publish_marts(lake, dataset, dataset.mart_groups[0], "one")["both"].release.is_sample


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("memos.notes.text", "memo.notes.text", "the mart both reads memo.notes, and there is no dataset memo"),
        ("memos.notes.text", "memos.memos.text", "the mart both reads memos.memos, which is no table of memos"),
        ("memos.notes.text", "memos.notes.txt", "the mart both reads txt of memos.notes, which has no such column"),
        ("memos.notes.text", "notes.notes.text", "the mart both reads notes.notes, where <table> or <dataset>.<table>"),
    ],
)
def test_what_is_not_declared_is_refused(
    outside: Outside, settings: Settings, before: str, after: str, said: str
) -> None:
    outside.write(both=MART.replace(before, after))
    found = declarations(settings)
    assert list(found.datasets) == ["memos"]
    assert said in found.broken["notes"].what
    assert found.broken["notes"].where == "both"


def test_a_rollback_of_the_other_dataset_names_it(
    outside: Outside, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = Lake(settings)
    old = released(lake, "memos")
    outside.deliver("memos", "2,later")
    released(lake, "memos")
    outside.export(monkeypatch, NEQUI_LAKE_BUILT_IN="off")
    monkeypatch.setattr("sys.argv", ["nequi-lake", "rollback", "memos", old])
    with pytest.raises(SystemExit):
        main()
    assert "until the next run of their datasets: notes.both" in capsys.readouterr().err


def test_a_mart_of_other_datasets_alone_is_refused(outside: Outside, settings: Settings) -> None:
    outside.write(both=MART.replace('"notes.text", ', "").replace('"notes.note"', '"memos.notes.note"'))
    assert "it reads no table of its dataset" in declarations(settings).broken["notes"].what
