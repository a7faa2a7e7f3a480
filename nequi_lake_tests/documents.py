"""The project's pages as tests read them: fenced blocks, prose, headings, anchors, links, tables, commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
ENGLISH, SPANISH = ROOT / "README.md", ROOT / "README.es.md"
PAGES = sorted(DOCS.glob("*.md"))
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *PAGES, ROOT / "examples" / "README.md"]
"""Every page of the project that a person reads."""

_FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#+) (\S.*)$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


class Block(NamedTuple):
    """A fenced block of a document."""

    language: str
    text: str


def each(documents: list[Path]) -> pytest.MarkDecorator:
    """Run a test once per document, as its argument ``document``."""
    return pytest.mark.parametrize("document", documents, ids=lambda path: str(path.relative_to(ROOT)))


def blocks(document: Path) -> list[Block]:
    """The fenced blocks, in order."""
    return [Block(*found.groups()) for found in _FENCED.finditer(document.read_text())]


def only_block(document: Path, language: str, holding: str) -> str:
    """The text of the one block in a language that holds these words."""
    (found,) = [block.text for block in blocks(document) if block.language == language and holding in block.text]
    return found


def prose(document: Path) -> str:
    """The document without its fenced blocks."""
    return _FENCED.sub("", document.read_text())


def heading_levels(document: Path) -> list[int]:
    """The level of each heading, in order."""
    return [len(marks) for marks, _ in _HEADING.findall(prose(document))]


def anchors(document: Path) -> set[str]:
    """What a link may name behind ``#``, as GitHub makes it of headings; and the anchors written in HTML."""
    names = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for _, title in _HEADING.findall(prose(document))]
    return {*names, *re.findall(r'<a (?:id|name)="([^"]+)"', document.read_text())}


def links(document: Path) -> list[str]:
    """The targets of the relative links, in order."""
    return [link for link in _LINK.findall(prose(document)) if "://" not in link]


def target_of(document: Path, link: str) -> Path:
    """The file or folder that a relative link leads to."""
    path = link.partition("#")[0]
    return (document.parent / path).resolve() if path else document


def tables(document: Path) -> list[list[list[str]]]:
    """The tables, each as rows of cells; the header is the first row."""
    found: list[list[list[str]]] = []
    inside = False
    for line in prose(document).splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] if line.startswith("|") else []
        if not cells:
            inside = False
        elif not inside:
            found.append([cells])
            inside = True
        elif set("".join(cells)) - set("-: "):
            found[-1].append(cells)
    return found


def rows_under(document: Path, *header: str) -> list[list[str]]:
    """The rows of the one table whose header begins with these cells."""
    (rows,) = [table[1:] for table in tables(document) if table[0][: len(header)] == list(header)]
    return rows


def code_in(cell: str) -> list[str]:
    """What stands in a cell as code."""
    return re.findall(r"`([^`]+)`", cell)


def commands(document: Path) -> Iterator[str]:
    """What a reader may type: lines of shell blocks, and code within the prose."""
    for block in blocks(document):
        if block.language == "bash":
            yield from block.text.splitlines()
    yield from code_in(prose(document))


def mentioned(document: Path, pattern: str) -> set[str]:
    """The first group of each place where a command of the document matches."""
    return {name for command in commands(document) for name in re.findall(pattern, command)}
