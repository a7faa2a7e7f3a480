"""What the pages say is so: links, commands, settings, checks and names exist, queries and examples run."""

from __future__ import annotations

import ast
import re
import shlex
import warnings
from collections.abc import Mapping
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
import typer.main

import nequi_lake.lake.settings
from nequi_lake import Lake
from nequi_lake.cli import app
from nequi_lake.cli.doctor import examine
from nequi_lake.datasets.checks import RECORD_CHECKS, RELATION_CHECKS
from nequi_lake.datasets.spec import Dataset
from nequi_lake.defs.build import build
from nequi_lake.defs.run import run
from nequi_lake.lake.declared import discover
from nequi_lake.lake.settings import OF_DATASET, Settings
from nequi_lake.pipeline.mart import publish_marts
from nequi_lake.quality.structure import FILE_STRUCTURE
from nequi_lake.sources import Sources
from nequi_lake_tests.conftest import released
from nequi_lake_tests.documents import (
    DOCS,
    DOCUMENTS,
    ROOT,
    anchors,
    blocks,
    code_in,
    commands,
    each,
    links,
    mentioned,
    only_block,
    prose,
    rows_under,
    tables,
    target_of,
)
from nequi_lake_tests.test_imports import FLOORS

SETTINGS = DOCS / "settings.md"
COMMAND_LINE = DOCS / "command-line.md"
OPERATIONS = DOCS / "operations.md"
READING = DOCS / "reading.md"
ADD_A_DATASET = DOCS / "add-a-dataset.md"
EVERY_DOCUMENT = each(DOCUMENTS)
OF_MSGSPEC = ("JSON is malformed", "Expected …, got …")
"""What the decoder of JSON lines says; the other messages are the package's own."""


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A small lake of the embedded sample: tables and marts, without reports."""
    folder = str(tmp_path_factory.mktemp("sample") / "lake")
    lake = Lake(Settings.from_env({"NEQUI_LAKE_URI": folder, "NEQUI_LAKE_SAMPLE_SCALE": "0.002"}))
    for name, dataset in lake.datasets.items():
        released(lake, name)
        for group in dataset.mart_groups:
            publish_marts(lake, dataset, group, "test")
    return lake


def options_of_commands() -> dict[str, set[str]]:
    """Command → its options, without that for help."""
    return {
        name: {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
        - {"--help"}
        for name, command in typer.main.get_group(app).commands.items()
    }


def settings_of_the_code() -> set[str]:
    """The variables that the settings are read from."""
    tree = ast.parse(Path(nequi_lake.lake.settings.__file__).read_text())
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {text for text in texts if re.fullmatch(r"NEQUI_LAKE_[A-Z_]+", text)}


@EVERY_DOCUMENT
def test_every_fence_is_closed_and_says_its_language(document: Path) -> None:
    assert "```" not in prose(document)


@EVERY_DOCUMENT
def test_every_relative_link_leads_to_a_file_and_an_anchor(document: Path) -> None:
    lost = []
    for link in links(document):
        target, _, anchor = target_of(document, link), *link.partition("#")[1:]
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


@EVERY_DOCUMENT
def test_every_command_that_is_mentioned_is_there(document: Path) -> None:
    assert mentioned(document, r"(?<![\w/])nequi-lake ([a-z][\w-]*)") <= set(options_of_commands())


@EVERY_DOCUMENT
def test_every_make_target_that_is_mentioned_is_there(document: Path) -> None:
    there = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert mentioned(document, r"(?:^|\s)make ([a-z][\w-]*)") <= there


@EVERY_DOCUMENT
def test_every_variable_that_is_mentioned_is_there(document: Path) -> None:
    of_tests = set(re.findall(r"NEQUI_LAKE_[A-Z_]+", (ROOT / "Makefile").read_text()))
    named = set(re.findall(r"NEQUI_LAKE_[A-Z_]+", document.read_text()))
    of_datasets = {OF_DATASET, *(f"{OF_DATASET}{name.upper()}" for name in (*discover(), "card_sales"))}
    assert named <= settings_of_the_code() | of_datasets | of_tests


def test_every_setting_has_one_row_of_one_table() -> None:
    rows = [row[0] for row in rows_under(SETTINGS, "variable", "meaning", "default") if "NEQUI_LAKE_" in row[0]]
    assert sorted(rows) == sorted(f"`{name}`" for name in {*settings_of_the_code(), f"{OF_DATASET}<DATASET>"})


@each([page for page in DOCUMENTS if page != SETTINGS])
def test_no_other_page_has_a_table_of_settings(document: Path) -> None:
    first_cells = [row[0] for table in tables(document) for row in table]
    assert [cell for cell in first_cells if re.match(r"`NEQUI_LAKE_[A-Z_]+`", cell)] == []


@pytest.mark.parametrize("name", sorted(settings_of_the_code()))
def test_the_default_that_the_page_names_is_that_of_the_code(name: str) -> None:
    (cell,) = [row[2] for row in rows_under(SETTINGS, "variable", "meaning", "default") if row[0] == f"`{name}`"]
    if cell == "none":
        assert not getattr(Settings.from_env({}), name.removeprefix("NEQUI_LAKE_").lower())
        return
    default = code_in(cell)[0].replace("<lake>", Settings.from_env({}).uri)
    assert Settings.from_env({name: default}) == Settings.from_env({})


def test_every_command_has_a_row_with_its_options() -> None:
    rows = {code_in(row[0])[0]: set(code_in(row[3])) for row in rows_under(COMMAND_LINE, "command", "arguments")}
    assert rows == options_of_commands()


def test_every_selection_finds_assets() -> None:
    selections = mentioned(COMMAND_LINE, r"--select '([^']+)'") | mentioned(OPERATIONS, r"--select '([^']+)'")
    assert len(selections) > 5
    graph = build(Settings.from_env({})).resolve_asset_graph()
    with warnings.catch_warnings():
        # Dagster's own parser of selections uses a parameter that it marks as beta.
        warnings.simplefilter("ignore", dg.BetaWarning)
        found = {selection: dg.AssetSelection.from_string(selection).resolve(graph) for selection in selections}
    assert [selection for selection, keys in found.items() if not keys] == []


def queries() -> set[str]:
    """The queries of all pages, but for those of the dataset that a reader is to add."""
    lines = [line for document in DOCUMENTS for line in commands(document) if line.startswith("nequi-lake sql ")]
    found = {word for line in lines for word in shlex.split(line) if word.startswith("SELECT ")}
    return {query for query in found if "card_sales" not in query}


def test_every_query_runs(sample: Lake) -> None:
    assert len(queries()) > 4
    assert [query for query in queries() if len(sample.sql(query)) == 0] == []


@each([page for page in DOCUMENTS if any("Lake.from_env()" in block.text for block in blocks(page))])
def test_the_python_of_a_page_runs(document: Path, sample: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEQUI_LAKE_URI", sample.settings.uri)
    for block in blocks(document):
        if block.language == "python":
            exec(compile(block.text, document.name, "exec"), {})


def test_the_asset_of_a_reader_gets_its_table(sample: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEQUI_LAKE_URI", sample.settings.uri)
    # Dagster finds the types of arguments in the module of a function.
    space: dict[str, object] = {"__name__": __name__}
    exec(only_block(READING, "python", "late_loans"), space)
    defs = space["defs"]
    assert isinstance(defs, dg.Definitions)
    result = defs.resolve_implicit_global_asset_job_def().execute_in_process(
        asset_selection=[dg.AssetKey("late_loans")]
    )
    (made,) = result.asset_materializations_for_node("late_loans")
    late = sample.table("credit_risk.loans").scan().filter(pl.col("loan_status").str.starts_with("Late"))
    assert made.metadata["loans"].value == late.select(pl.len()).collect().item()


def test_the_example_of_a_dataset_runs(tmp_path: Path) -> None:
    module = only_block(ADD_A_DATASET, "python", "DATASET = Dataset(")
    assert len(module.splitlines()) < 80
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "card_sales.py").write_text(module)
    file = tmp_path / "inbox" / "card_sales" / "sales.csv"
    file.parent.mkdir(parents=True)
    file.write_text(only_block(ADD_A_DATASET, "csv", "sale_id"))
    set_line, run_line, sql_line = only_block(ADD_A_DATASET, "bash", "card_sales").splitlines()
    named = dict(part.split("=") for part in set_line.replace("=/data", f"={tmp_path}").split()[1:])
    settings = Settings.from_env({"NEQUI_LAKE_URI": str(tmp_path / "lake"), **named})
    outcome = run(build(settings), [run_line.split()[-1]], instance=None)
    assert outcome.success, outcome.failures
    rows = Lake(settings).sql(shlex.split(sql_line)[-1]).to_pylist()
    printed = only_block(ADD_A_DATASET, "text", "city ").splitlines()[2:]
    assert [re.split(r"  +", line) for line in printed] == [[str(value) for value in row.values()] for row in rows]


def test_every_dataset_and_mart_has_its_row(datasets: Mapping[str, Dataset]) -> None:
    rows = rows_under(DOCS / "datasets.md", "dataset", "on Kaggle", "licence", "raw files", "tables")
    assert {code_in(row[0])[0]: (code_in(row[1])[0], code_in(row[3]), code_in(row[4])) for row in rows} == {
        name: (dataset.slug, [file.name for file in dataset.files], [table.name for table in dataset.tables])
        for name, dataset in datasets.items()
    }
    assert [row[2].startswith(datasets[code_in(row[0])[0]].licence) for row in rows] == [True] * len(rows)
    first_cells = ("mart", "fact, dimension or bridge")
    marts = [
        code_in(row[0])[0] for cell in first_cells for row in rows_under(DOCS / "datasets.md", cell, "one row per")
    ]
    assert sorted(marts) == sorted(f"{d.name}.{mart.name}" for d in datasets.values() for mart in d.marts)


def test_every_check_has_its_row(sample: Lake) -> None:
    of_tables = [code_in(row[0])[0] for row in rows_under(OPERATIONS, "check", "what a failure means")]
    assert list(dict.fromkeys(of_tables)) == [*RELATION_CHECKS, *RECORD_CHECKS]
    of_doctor = [code_in(row[0])[0] for row in rows_under(OPERATIONS, "check", "what it asks")]
    assert of_doctor == [check.name for check in examine(sample, Sources(sample.settings))]
    assert f"`{FILE_STRUCTURE}`" in prose(OPERATIONS)


def test_the_layout_has_every_place_of_a_lake(sample: Lake) -> None:
    layout = only_block(DOCS / "architecture.md", "text", "lake.json").splitlines()[1:]
    named = {re.split(r"[/\s]", line.strip())[0] for line in layout}
    there = {path.name for path in Path(sample.settings.uri).iterdir() if not path.name.startswith(".")}
    assert there | {"profiling_reports"} == named


def test_the_order_of_packages_is_that_of_the_imports() -> None:
    lines = only_block(DOCS / "architecture.md", "text", "definitions, cli").splitlines()
    assert [set(line.split(", ")) for line in lines] == [set(floor) for floor in reversed(FLOORS)]


def test_every_test_that_the_fault_matrix_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (DOCS / "reliability.md").read_text()))
    there = {
        name
        for path in (ROOT / "nequi_lake_tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert len(named) > 40
    assert sorted(named - there) == []


def texts_of_the_code() -> str:
    """Every text that a module of the package has, with each value that is put into it as ``…``."""
    found = []
    for path in (ROOT / "nequi_lake").rglob("*.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                parts = [str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values]
                found.append("".join(parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


def test_the_messages_of_the_runbook_are_those_of_the_program() -> None:
    said = texts_of_the_code()
    cells = [row[0] for table in tables(OPERATIONS) if table[0][0] == "the message says" for row in table[1:]]
    messages = [message for cell in cells for message in code_in(cell) if message not in OF_MSGSPEC]
    assert len(messages) > 30
    parts = [part.strip() for message in messages for part in message.split("…")]
    assert [part for part in parts if part not in said] == []
