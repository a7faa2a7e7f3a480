"""Marts of one group: one release, that readers see whole or not at all, whatever ends a run in between."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import dagster as dg
import dataframely as dy
import pytest

from nequi_lake import Lake
from nequi_lake.datasets.spec import Dataset, Mart
from nequi_lake.defs.build import build
from nequi_lake.errors import AuditError, CatalogError, StageError
from nequi_lake.lake.catalog.catalog import LakeCatalog
from nequi_lake.lake.catalog.maintenance import RetentionPolicy, maintain
from nequi_lake.lake.catalog.rollback import roll_back
from nequi_lake.lake.declared import declarations
from nequi_lake.lake.layout import data_folder
from nequi_lake.lake.release import PublishedTable
from nequi_lake.pipeline.mart import publish_marts, stage_marts
from nequi_lake.pipeline.publish import Selection
from nequi_lake_tests.conftest import failures, released
from nequi_lake_tests.datasets.outside import Outside, notes
from nequi_lake_tests.lake.test_old_versions import LATER, KilledError

MARTS = '''\
import dataframely as dy

from nequi_lake import Mart, column_meta


class DimText(dy.Schema):
    """One row per text."""

    text_key = dy.Int64(
        primary_key=True, description="Key.", metadata=column_meta(unit="id", derived_from=["notes.text"])
    )
    text = dy.String(description="Text.", metadata=column_meta(unit="text", derived_from=["notes.text"]))


class FactNote(dy.Schema):
    """One row per note."""

    note = dy.Int64(
        primary_key=True,
        description="Note.",
        metadata=column_meta(unit="id", derived_from=["notes.note"], references="notes"),
    )
    text_key = dy.Int64(
        description="Text.",
        metadata=column_meta(unit="id", derived_from=["dim_text.text_key", "notes.text"], references="dim_text"),
    )


MARTS = (
    Mart(name="dim_text", description="Texts.", contract=DimText, group="star"),
    Mart(name="fact_note", description="Notes.", contract=FactNote, group="star"),
)
'''
DIM = "SELECT DISTINCT CAST('0x' || left(md5(text), 15) AS BIGINT) AS text_key, text FROM notes.notes"
FACT = "SELECT note, text_key FROM notes.notes LEFT JOIN notes.dim_text USING (text)"
STAR = ("dim_text", "fact_note")


@dataclass(frozen=True)
class Star:
    """A lake of notes with a star of two marts."""

    outside: Outside

    @property
    def lake(self) -> Lake:
        """It, for reading, as its modules are now."""
        return Lake(self.outside.settings(NEQUI_LAKE_BUILT_IN="off"))

    @property
    def dataset(self) -> Dataset:
        """Its declaration, as its modules are now."""
        return self.lake.datasets["notes"]

    def deliver(self, *lines: str) -> None:
        """Put notes into the inbox, and publish their table."""
        self.outside.deliver("notes", *lines)
        released(self.lake, "notes")

    def make(self) -> dict[str, PublishedTable]:
        """Publish the marts, group by group."""
        lake, dataset = self.lake, self.dataset
        return {
            name: published
            for group in dataset.mart_groups
            for name, published in publish_marts(lake, dataset, group, "run").items()
        }

    def sql(self, **texts: str) -> None:
        """Give marts other SQL."""
        for name, text in texts.items():
            (self.outside.modules / f"{name}.sql").write_text(text)

    def seen(self) -> list[tuple[int, str]]:
        """What readers see of the two marts, joined."""
        query = "SELECT note, text FROM notes.fact_note LEFT JOIN notes.dim_text USING (text_key) ORDER BY note"
        return [(row["note"], row["text"]) for row in self.lake.sql(query).to_pylist()]

    def orphans(self) -> set[str]:
        """The runs that left files of marts which no snapshot names."""
        lake = self.lake
        return {
            run
            for mart in self.dataset.marts
            for run in set(lake.storage.list(data_folder(lake.storage, "marts", "notes", mart.name)))
            - lake.catalog.run_ids("notes", mart.name)
        }

    def releases(self) -> dict[str, str]:
        """Mart → the release that readers see."""
        lake = self.lake
        return {name: table.release.id for name, table in lake.published(self.dataset, STAR).items()}


@pytest.fixture
def star(outside: Outside) -> Star:
    """A lake whose table of notes is published, and no mart."""
    outside.write(notes=notes(imports="from stars import MARTS", marts="\n    marts=MARTS,"), stars=MARTS)
    made = Star(outside)
    made.sql(dim_text=DIM, fact_note=FACT)
    made.deliver("1,Pay", "2,Wait", "3,Pay")
    return made


def kill_before(patch: pytest.MonkeyPatch, commit: int) -> None:
    """End the process before this commit, from 0."""
    publish: Callable[..., Any] = LakeCatalog.publish
    done: list[str] = []

    def killed_later(self: LakeCatalog, dataset: Dataset, staged: Any, **options: Any) -> Any:
        if len(done) == commit:
            raise KilledError
        done.append(staged.table)
        return publish(self, dataset, staged, **options)

    patch.setattr(LakeCatalog, "publish", killed_later)


def test_a_group_is_one_release_in_which_marts_read_and_refer_to_each_other(star: Star) -> None:
    made = star.make()
    assert star.seen() == [(1, "Pay"), (2, "Wait"), (3, "Pay")]
    (release,) = {table.release for table in made.values()}
    assert (release.tables, release.source_release) == (STAR, star.lake.table("notes.notes").published.release.id)
    record = json.loads(star.lake.storage.read(star.lake.storage.path("releases", "notes", f"{release.run_id}.json")))
    assert record.keys() == {*STAR}
    assert star.make() == made
    assert star.orphans() == set()


def test_a_change_of_one_makes_all_of_the_group_anew(star: Star) -> None:
    star.make()
    before = star.releases()
    star.sql(fact_note=f"{FACT} WHERE note < 3")
    star.make()
    assert star.seen() == [(1, "Pay"), (2, "Wait")]
    assert len({*star.releases().values(), *before.values()}) == 2


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        (
            {"fact_note": "SELECT note, note AS text_key FROM notes.notes"},
            "3 rows have a text_key that dim_text does not",
        ),
        ({"dim_text": f"{DIM} UNION ALL {DIM}"}, "notes.dim_text fails unique_key"),
    ],
)
def test_what_one_of_them_breaks_holds_up_all(star: Star, sql: dict[str, str], said: str) -> None:
    star.make()
    before = star.releases()
    star.sql(**sql)
    star.deliver("1,Stay", "2,Wait", "3,Pay")
    with pytest.raises(AuditError, match=said) as refused:
        star.make()
    assert "Nothing of notes.star was published" in str(refused.value)
    assert star.releases() == before
    assert star.seen() == [(1, "Pay"), (2, "Wait"), (3, "Pay")]
    assert star.orphans() == set()


def test_a_query_that_cannot_be_run_leaves_nothing_of_those_before_it(star: Star) -> None:
    star.sql(fact_note="SELECT note, nothing AS text_key FROM notes.notes")
    with pytest.raises(StageError, match=r"The SQL of notes\.fact_note cannot be run"):
        star.make()
    assert star.releases() == {}
    assert star.orphans() == set()


@pytest.mark.parametrize("commit", [0, 1])
def test_killed_before_a_commit_readers_see_the_release_before_and_the_next_run_ends_it(
    star: Star, commit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    star.make()
    before = star.releases()
    star.deliver("1,Stay", "2,Wait")
    with monkeypatch.context() as patch:
        kill_before(patch, commit)
        with pytest.raises(KilledError):
            star.make()
    assert star.releases() == before
    assert star.seen() == [(1, "Pay"), (2, "Wait"), (3, "Pay")]
    states = [(entry.release.sequence, entry.complete) for entry in star.lake.catalog.history(star.dataset, "dim_text")]
    assert states == [(2, False), (1, True)][1 - commit :]
    star.make()
    assert star.seen() == [(1, "Stay"), (2, "Wait")]
    assert {entry.release.sequence for entry in star.lake.catalog.history(star.dataset, "dim_text")} == {1, 2}
    assert star.orphans() == set()


def test_a_rollback_takes_a_group_along_as_a_whole(star: Star, monkeypatch: pytest.MonkeyPatch) -> None:
    star.make()
    old = star.lake.table("notes.notes").published.release.id
    star.deliver("1,Stay")
    star.make()
    with monkeypatch.context() as patch:
        # The table, one mart, and not the other.
        kill_before(patch, 2)
        with pytest.raises(KilledError):
            roll_back(star.dataset, old, star.lake.catalog, star.lake.storage)
    assert star.lake.sql("FROM notes.fact_note").to_pylist()[0]["note"] == 1
    assert star.seen() == [(1, "Stay")]
    done = roll_back(star.dataset, old, star.lake.catalog, star.lake.storage)
    assert (done.changed, done.other_marts) == (("notes.fact_note",), ())
    assert star.seen() == [(1, "Pay"), (2, "Wait"), (3, "Pay")]


def test_a_group_of_which_one_mart_is_lost_stays_where_it_is(star: Star) -> None:
    lost = star.make()["dim_text"]
    old = star.lake.table("notes.notes").published.release.id
    star.deliver("1,Stay")
    star.make()
    star.lake.storage.remove(lost.paths[0])
    done = roll_back(star.dataset, old, star.lake.catalog, star.lake.storage)
    assert (done.changed, done.other_marts) == (("notes.notes",), ("notes.dim_text", "notes.fact_note"))
    assert star.seen() == [(1, "Stay")]


def test_a_group_is_forgotten_with_its_tables(star: Star) -> None:
    star.make()
    star.deliver("1,Stay")
    star.make()
    lake = star.lake
    maintain(star.dataset, lake.catalog, lake.storage, retention=RetentionPolicy(releases=1), now=LATER)
    assert star.seen() == [(1, "Stay")]
    assert [len(lake.catalog.history(star.dataset, mart)) for mart in STAR] == [1, 1]


@pytest.mark.parametrize("is_leaving", [True, False])
def test_marts_that_leave_or_join_a_group_stay_readable(star: Star, is_leaving: bool) -> None:
    apart = replace(star.dataset, marts=tuple(_without_references(mart) for mart in star.dataset.marts))
    before, after = (star.dataset, apart) if is_leaving else (apart, star.dataset)
    star.sql(fact_note="SELECT note, CAST('0x' || left(md5(text), 15) AS BIGINT) AS text_key FROM notes.notes")
    for dataset in (before, after):
        lake = Lake(star.lake.settings, {"notes": dataset})
        for group in dataset.mart_groups:
            publish_marts(lake, dataset, group, "run")
        seen = {name: table.published.release for name, table in lake.tables_of(dataset, STAR).items()}
        assert {name: release.tables for name, release in seen.items()} == {
            name: dataset.release_group_of(name).names for name in STAR
        }
        # Those who have the other declaration yet, or still, read them as well.
        others = {"notes": apart if dataset is star.dataset else star.dataset}
        assert "dim_text" in Lake(star.lake.settings, others).published(others["notes"], STAR)


def _without_references(mart: Mart) -> Mart:
    """A mart that is released by itself."""
    own = {
        name: column.with_properties(
            metadata={**(column.metadata or {}), "references": None, "derived_from": ("notes.text",)}
        )
        if name == "text_key"
        else column
        for name, column in mart.contract.columns().items()
    }
    contract = type(mart.contract.__name__, (dy.Schema,), {**own, "__module__": mart.contract.__module__})
    return replace(mart, group="", contract=contract)


def test_a_part_of_a_group_is_no_release(star: Star) -> None:
    lake, dataset = star.lake, star.dataset
    (group,) = dataset.mart_groups

    def publish(name: str) -> None:
        with stage_marts(lake, dataset, group, "run", selection=Selection(relations=frozenset({name}))) as staged:
            staged.commit_all()

    with pytest.raises(StageError, match=r"notes\.fact_note reads dim_text of its group") as refused:
        publish("fact_note")
    assert "nequi-lake run notes" in str(refused.value)
    publish("dim_text")
    with pytest.raises(CatalogError, match="was never published"):
        lake.table("notes.dim_text")
    publish("fact_note")
    assert star.seen() == [(1, "Pay"), (2, "Wait"), (3, "Pay")]


def test_dagster_has_an_asset_of_each_and_makes_them_in_one_step(star: Star) -> None:
    definitions = build(star.lake.settings)
    graph = definitions.resolve_asset_graph()
    fact = graph.get(dg.AssetKey(["marts", "notes", "fact_note"]))
    assert {key.to_user_string() for key in fact.parent_keys} == {"processed/notes/notes", "marts/notes/dim_text"}
    lineage = fact.metadata["dagster/column_lineage"].deps_by_column["text_key"]
    assert {(dep.asset_key.to_user_string(), dep.column_name) for dep in lineage} == {
        ("marts/notes/dim_text", "text_key"),
        ("processed/notes/notes", "text"),
    }
    keys = [dg.AssetKey(["marts", "notes", name]) for name in STAR]
    result = definitions.resolve_job_def("notes").execute_in_process(asset_selection=keys, raise_on_error=False)
    assert result.success, failures(result)
    assert [event.step_key for event in result.get_step_success_events()] == ["notes_star"]
    assert star.seen() == [(1, "Pay"), (2, "Wait"), (3, "Pay")]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('"dim_text.text_key", ', '"dim_text.key", ', "column text_key comes from dim_text.key, which is no column of"),
        ('contract=DimText, group="star"', "contract=DimText", "column text_key references dim_text, which is not"),
        ('group="star"', 'group="notes"', "a group of marts is called notes"),
        ('group="star"', 'group="fact_note"', "a group of marts is called fact_note"),
        ('group="star"', 'group="The star"', "'The star' is no name"),
        (
            "\nMARTS = (",
            "\nMARTS = lambda *marts: marts[::-1]\nMARTS = MARTS(",
            "references dim_text, which is not listed",
        ),
    ],
)
def test_a_group_is_refused_for(outside: Outside, before: str, after: str, said: str) -> None:
    assert before in MARTS
    outside.write(
        notes=notes(imports="from stars import MARTS", marts="\n    marts=MARTS,"), stars=MARTS.replace(before, after)
    )
    assert said in declarations(outside.settings()).broken["notes"].what
