"""Datasets of a folder outside of the package: found, run, read, and part of their release with all their code."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from nequi_lake import Lake
from nequi_lake.datasets.spec import Dataset
from nequi_lake.defs.build import build
from nequi_lake.engines.fingerprint import release_id
from nequi_lake.errors import UsageError
from nequi_lake.lake.declared import declarations, discover
from nequi_lake.lake.settings import Settings
from nequi_lake_tests.conftest import Shell, released
from nequi_lake_tests.datasets.outside import Outside, notes

BUILT_IN = {"cite_sum", "credit_risk", "electric_motor"}
LOWER = ', parse={"text": lower()}'
HELPER = 'import polars as pl\n\nSIZE = 1\n\n\ndef lower():\n    return pl.col("text").str.to_lowercase()\n'


def test_a_folder_adds_to_the_datasets_of_the_package(outside: Outside) -> None:
    outside.write(notes=notes())
    assert discover(outside.settings()).keys() == {*BUILT_IN, "notes"}
    assert discover(Settings.from_env({})).keys() == BUILT_IN


def test_a_lake_can_hold_ones_own_datasets_alone(outside: Outside) -> None:
    outside.write(notes=notes())
    own = outside.settings(NEQUI_LAKE_BUILT_IN="off")
    assert list(discover(own)) == list(Lake(own)) == ["notes"]
    groups = {node.group_name for node in build(own).resolve_asset_graph().asset_nodes}
    assert groups == {"notes"}


def test_the_command_line_runs_reads_and_checks_it(
    outside: Outside, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside.write(notes=notes())
    outside.deliver("notes", "1,Pay", "2,Wait")
    outside.export(monkeypatch, NEQUI_LAKE_BUILT_IN="off")
    code, out, said = shell("run")
    assert (code, "notes.notes" in out) == (0, True), said
    assert shell("sql", "SELECT text FROM notes.notes ORDER BY note", "--format", "csv")[1].split() == [
        "text",
        "Pay",
        "Wait",
    ]
    code, out, _ = shell("doctor", "--format", "json")
    (declared,) = [row for row in json.loads(out) if row["check"] == "declarations"]
    assert (code, declared["found"]) == (0, "1 datasets are declared")
    assert str(outside.modules) in declared["where"]
    assert "## notes\n\nNotes.\n\n| raw file" in shell("dictionary")[1]
    assert "electric_motor" not in shell("dictionary")[1]


def test_a_dataset_that_says_nothing_of_its_publisher_shows_nothing_of_one(
    outside: Outside, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside.write(notes=notes())
    outside.deliver("notes", "1,Pay")
    outside.export(monkeypatch, NEQUI_LAKE_BUILT_IN="off")
    assert shell("run")[0] == 0
    pages = [path.read_text() for path in Path(outside.settings().uri, "profiling_reports").rglob("*.html")]
    said = [shell("dictionary")[1], *pages]
    assert len(pages) == 3
    assert [text for text in said if any(word in text for word in ("Kaggle", "icence", "Answers for it"))] == []
    graph = build(outside.settings(NEQUI_LAKE_BUILT_IN="off")).resolve_asset_graph()
    raw = graph.get(dg.AssetKey(["raw", "notes", "notes.csv"]))
    assert "Kaggle" not in str(raw.description)
    assert not raw.owners
    assert "kaggle" not in raw.metadata
    template = shell("infra", "template")[1]
    assert json.loads(template)["Resources"]["Databasenotes"]["Properties"]["DatabaseInput"]["Description"] == "Notes."


def test_one_bad_module_costs_its_own_dataset(outside: Outside, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    outside.write(notes=notes(), typo="import polars as pl\n\nX = pl.colum('a')\n", ends="import sys\n\nsys.exit(3)\n")
    outside.write(unlike=notes("like"), other="DATASET = {}\n", _private="1 / 0\n", helper=HELPER)
    found = declarations(outside.settings())
    assert found.datasets.keys() == {*BUILT_IN, "notes"}
    assert found.broken.keys() == {"typo", "ends", "unlike", "other"}
    assert str(found.broken["typo"].where) == f"{outside.modules}/typo.py, line 3"
    assert "SystemExit" in found.broken["ends"].what
    assert found.broken["unlike"].what == "The dataset like is declared under the name unlike."
    outside.deliver("notes", "1,Pay")
    outside.export(monkeypatch)
    code, out, said = shell("run", "notes")
    assert (code, "notes.notes" in out, "pl.colum" in said or "colum" in said) == (1, True, True)


def test_a_name_that_is_declared_twice_is_refused_with_both_places(outside: Outside) -> None:
    outside.write(electric_motor=notes("electric_motor"), notes=notes())
    found = declarations(outside.settings())
    assert found.datasets.keys() == {"cite_sum", "credit_risk", "notes"}
    where = str(found.broken["electric_motor"].where)
    assert f"{outside.modules}/electric_motor.py" in where
    assert "nequi_lake/datasets/electric_motor/__init__.py" in where
    alone = declarations(outside.settings(NEQUI_LAKE_BUILT_IN="off"))
    assert alone.datasets.keys() == {"electric_motor", "notes"}
    assert not alone.broken


@pytest.mark.parametrize("name", ["calendar", "polars"])
def test_a_dataset_may_be_called_as_an_installed_module(outside: Outside, name: str) -> None:
    outside.write(**{name: notes(name)})
    assert discover(outside.settings())[name].tables
    assert not str(sys.modules[name].__file__).startswith(str(outside.modules))


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Installs a package of modules ``acme_…``, with these entry points."""

    def install(entry_points: dict[str, str], **modules: str) -> None:
        site = tmp_path / "site"
        about = site / "acme-2.0.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 2.0\n")
        named = "\n".join(f"{name} = {value}" for name, value in entry_points.items())
        (about / "entry_points.txt").write_text(f"[nequi_lake.datasets]\n{named}\n")
        for name, text in modules.items():
            (site / f"{name}.py").write_text(text)
            monkeypatch.delitem(sys.modules, name, raising=False)
        monkeypatch.syspath_prepend(site)

    return install


def test_an_installed_package_names_its_datasets(installed: Callable[..., None]) -> None:
    points = {"notes": "acme_notes", "memos": "acme_memos:MEMOS", "typo": "acme_typo", "gone": "acme_gone:X"}
    memos = notes("memos").replace("DATASET = ", "MEMOS = ")
    installed(
        {**points, "no_dataset": "acme_helper"},
        acme_notes=notes(),
        acme_memos=memos,
        acme_typo="import polars as pl\n\npl.colum\n",
        acme_helper=HELPER,
    )
    found = declarations(Settings.from_env({"NEQUI_LAKE_BUILT_IN": "off"}))
    assert found.datasets.keys() == {"notes", "memos"}
    assert found.broken.keys() == {"typo", "gone", "no_dataset"}
    assert str(found.broken["typo"].where).endswith("acme_typo.py, line 3")
    assert str(found.broken["gone"].where) == "the entry point gone = acme_gone:X of the package acme 2.0"
    assert "acme_gone" in found.broken["gone"].what


def test_an_installed_package_and_a_folder_may_not_declare_the_same(
    installed: Callable[..., None], outside: Outside
) -> None:
    installed({"notes": "acme_notes"}, acme_notes=notes())
    outside.write(notes=notes(), memos=notes("memos"))
    found = declarations(outside.settings(NEQUI_LAKE_BUILT_IN="off"))
    assert list(found.datasets) == ["memos"]
    assert (
        found.broken["notes"].where
        == f"the entry point notes = acme_notes of the package acme 2.0; {outside.modules}/notes.py"
    )


def a_release(outside: Outside) -> str:
    """The release that no raw files would give the notes; their modules are loaded anew, as in a new process."""
    for name in [name for name in sys.modules if name.split(".")[0] in ("nequi_lake_datasets", "helper", "common")]:
        del sys.modules[name]
    return release_id(discover(outside.settings())["notes"], [])


@pytest.mark.parametrize(
    ("helper", "imports"),
    [
        ("helper", "from helper import lower"),
        ("helper", "from .helper import lower"),
        ("common__texts", "from common.texts import lower"),
    ],
)
def test_a_helper_module_is_part_of_the_release(outside: Outside, helper: str, imports: str) -> None:
    outside.write(**{helper: HELPER, "notes": notes(imports=imports, parse=LOWER)})
    before = a_release(outside)
    outside.write(**{helper: f"# Of texts.\n{HELPER}"})
    assert a_release(outside) == before
    outside.write(**{helper: HELPER.replace("SIZE = 1", "SIZE = 2")})
    assert a_release(outside) != before


def test_installed_modules_below_the_folder_are_no_part_of_the_release(outside: Outside) -> None:
    outside.write(notes=notes(imports="from common.texts import lower", parse=LOWER))
    installed = outside.modules / ".venv" / "lib" / "site-packages"
    (installed / "common").mkdir(parents=True)
    (installed / "common" / "texts.py").write_text(HELPER)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(installed)
        before = a_release(outside)
        (installed / "common" / "texts.py").write_text(HELPER.replace("SIZE = 1", "SIZE = 2"))
        assert a_release(outside) == before


def test_a_folder_that_moves_makes_no_other_release(outside: Outside, tmp_path: Path) -> None:
    outside.write(notes=notes())
    before = a_release(outside)
    outside.modules = outside.modules.rename(tmp_path / "moved")
    assert a_release(outside) == before


def test_a_process_may_go_on_to_another_folder(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        place = Outside(tmp_path / name)
        place.write(helper=HELPER, notes=notes(imports="from helper import lower", parse=LOWER), **{name: notes(name)})
        found.append(set(discover(place.settings())) - BUILT_IN)
    assert found == [{"notes", "one"}, {"notes", "two"}]


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such folder") as refused:
        Settings.from_env({"NEQUI_LAKE_DATASETS": str(tmp_path / "no")})
    assert refused.value.where == "NEQUI_LAKE_DATASETS"


def test_a_lake_of_no_dataset_says_so(outside: Outside, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    outside.export(monkeypatch, NEQUI_LAKE_BUILT_IN="off")
    for command in ("run", "doctor"):
        code, out, said = shell(command)
        assert (code != 0, "No dataset is declared." in out + said) == (True, True)
    assert build(outside.settings(NEQUI_LAKE_BUILT_IN="off")).resolve_all_job_defs()


def test_what_the_folder_made_is_not_undeclared_while_a_module_is_broken(
    outside: Outside, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside.write(notes=notes())
    outside.deliver("notes", "1,Pay")
    released(Lake(outside.settings()), "notes")
    (outside.modules / "notes.py").rename(outside.modules / "memos.py")
    outside.export(monkeypatch)
    code, _, said = shell("maintain", "--remove-undeclared")
    assert (code, "declared no longer" in said) == (0, False), said
    (outside.modules / "memos.py").unlink()
    assert "notes.notes is declared no longer" in shell("maintain")[2]


def test_the_least_that_a_dataset_says() -> None:
    dataset = Dataset(name="card_sales", files=(), tables=())
    assert (dataset.title, dataset.summary, dataset.kaggle_page) == ("Card sales", "Card sales.", "")
