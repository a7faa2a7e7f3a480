"""What the README says is so: its commands, variables, links and selections exist, and its example of a dataset runs.

README.es.md is held against README.md: the same headings and the same code, only prose is translated.
"""

from __future__ import annotations

import ast
import re
import shlex
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import dagster as dg
import pytest
import typer.main

import nequi_lake.lake.settings
from nequi_lake import Lake
from nequi_lake.cli import app
from nequi_lake.defs.build import build
from nequi_lake.defs.run import run
from nequi_lake.lake.settings import Settings
from nequi_lake_tests.conftest import declared

ROOT = Path(__file__).parents[1]
ENGLISH, SPANISH = ROOT / "README.md", ROOT / "README.es.md"
READMES = pytest.mark.parametrize("readme", [ENGLISH, SPANISH], ids=lambda path: path.name)
DOCUMENTS = pytest.mark.parametrize(
    "document", [ENGLISH, SPANISH, *sorted((ROOT / "docs").glob("*.md"))], ids=lambda path: path.name
)

_FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"(^|\s+)#.*$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block of a document."""

    language: str
    text: str


def blocks(document: Path) -> list[Block]:
    """The fenced blocks, in order."""
    return [Block(*found.groups()) for found in _FENCED.finditer(document.read_text())]


def prose(document: Path) -> str:
    """The document without its fenced blocks."""
    return _FENCED.sub("", document.read_text())


def headings(document: Path) -> list[int]:
    """The level of each heading, in order."""
    return [len(marks) for marks in re.findall(r"^(#+) \S", prose(document), re.MULTILINE)]


def without_comments(block: Block) -> Block:
    """The block as it is in every language."""
    return Block(block.language, _COMMENT.sub("", block.text))


def commands(document: Path) -> Iterator[str]:
    """What a reader may type: lines of shell blocks, and code within the prose."""
    for block in blocks(document):
        if block.language == "bash":
            yield from block.text.splitlines()
    yield from re.findall(r"`([^`\n]+)`", prose(document))


def mentioned(document: Path, pattern: str) -> set[str]:
    """The first group of each place where a command of the document matches."""
    return {name for command in commands(document) for name in re.findall(pattern, command)}


def only_block(document: Path, language: str, holding: str) -> str:
    """The text of the one block in a language that holds these words."""
    (found,) = [block.text for block in blocks(document) if block.language == language and holding in block.text]
    return found


def test_both_readmes_have_the_same_headings() -> None:
    assert headings(ENGLISH) == headings(SPANISH)
    assert headings(ENGLISH)[0] == 1


def test_both_readmes_have_the_same_code() -> None:
    english, spanish = ([without_comments(block) for block in blocks(path)] for path in (ENGLISH, SPANISH))
    assert english == spanish


@DOCUMENTS
def test_every_fence_is_closed_and_says_its_language(document: Path) -> None:
    assert "```" not in prose(document)


@READMES
def test_every_subcommand_is_mentioned_and_none_that_is_not_there(readme: Path) -> None:
    there = {command.name for command in typer.main.get_group(app).commands.values()}
    assert mentioned(readme, r"(?<![\w/])nequi-lake ([a-z][\w-]*)") == there


@DOCUMENTS
def test_every_make_target_that_is_mentioned_is_there(document: Path) -> None:
    there = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert mentioned(document, r"(?:^|\s)make ([a-z][\w-]*)") <= there


@READMES
def test_every_variable_of_the_settings_is_mentioned_and_none_that_is_not_there(readme: Path) -> None:
    tree = ast.parse(Path(nequi_lake.lake.settings.__file__).read_text())
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    read = {text for text in texts if re.fullmatch(r"NEQUI_LAKE_[A-Z_]+", text)}
    assert set(re.findall(r"NEQUI_LAKE_[A-Z_]+", readme.read_text())) == read


@DOCUMENTS
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", prose(document))
    relative = [link.split("#")[0] for link in links if "://" not in link and not link.startswith("#")]
    assert [link for link in relative if not (document.parent / link).exists()] == []


def test_every_selection_finds_assets() -> None:
    selections = mentioned(ENGLISH, r"--select '([^']+)'")
    assert selections
    graph = build(Settings.from_env({})).resolve_asset_graph()
    with warnings.catch_warnings():
        # Dagster's own parser of selections uses a parameter that it marks as beta.
        warnings.simplefilter("ignore", dg.BetaWarning)
        found = {selection: dg.AssetSelection.from_string(selection).resolve(graph) for selection in selections}
    assert [selection for selection, keys in found.items() if not keys] == []


def test_the_example_of_a_dataset_runs(tmp_path: Path) -> None:
    module = only_block(ENGLISH, "python", "DATASET = Dataset(")
    assert len(module.splitlines()) < 80
    file = tmp_path / "inbox" / "card_sales" / "sales.csv"
    file.parent.mkdir(parents=True)
    file.write_text(only_block(ENGLISH, "csv", "sale_id"))
    settings = Settings.from_env(
        {"NEQUI_LAKE_URI": str(tmp_path / "lake"), "NEQUI_LAKE_SOURCE": str(tmp_path / "inbox")}
    )
    run_line, sql_line = only_block(ENGLISH, "bash", "card_sales").splitlines()
    with declared(tmp_path / "more", card_sales=module):
        outcome = run(build(settings), [run_line.split()[-1]], instance=None)
        assert outcome.success, outcome.failures
        rows = Lake(settings).sql(shlex.split(sql_line)[-1]).to_pylist()
    printed = only_block(ENGLISH, "text", "city ").splitlines()[2:]
    assert [re.split(r"  +", line) for line in printed] == [[str(value) for value in row.values()] for row in rows]


def test_every_test_that_the_fault_matrix_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "reliability.md").read_text()))
    there = {
        name
        for path in (ROOT / "nequi_lake_tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert len(named) > 40
    assert sorted(named - there) == []
