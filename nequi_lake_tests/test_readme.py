"""README.md is short, defines its words, and leads to every page; README.es.md is the same in Spanish."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nequi_lake_tests.documents import (
    DOCS,
    ENGLISH,
    PAGES,
    ROOT,
    SPANISH,
    Block,
    blocks,
    each,
    heading_levels,
    links,
    prose,
    tables,
    target_of,
)

MOST_LINES = 200
WORDS = {
    ENGLISH: ("asset", "release", "contract", "mart", "quarantine"),
    SPANISH: ("asset", "release", "contrato", "mart", "cuarentena"),
}
"""What each README defines, in a sentence, where it first uses it: there the word is bold."""

READMES = each([ENGLISH, SPANISH])


def without_comments(block: Block) -> Block:
    """The block as it is in every language."""
    return Block(block.language, re.sub(r"(^|\s+)#.*$", "", block.text, flags=re.MULTILINE))


@READMES
def test_a_readme_is_short(document: Path) -> None:
    assert len(document.read_text().splitlines()) <= MOST_LINES


def test_both_readmes_have_the_same_headings() -> None:
    assert heading_levels(ENGLISH) == heading_levels(SPANISH)
    assert heading_levels(ENGLISH)[0] == 1


def test_both_readmes_have_the_same_code() -> None:
    english, spanish = ([without_comments(block) for block in blocks(path)] for path in (ENGLISH, SPANISH))
    assert english == spanish


def test_both_readmes_have_the_same_links_and_tables() -> None:
    other = {ENGLISH.name: SPANISH.name, SPANISH.name: ENGLISH.name}
    assert links(ENGLISH) == [other.get(link, link) for link in links(SPANISH)]
    assert [len(table) for table in tables(ENGLISH)] == [len(table) for table in tables(SPANISH)]


@pytest.mark.parametrize(
    ("document", "word"),
    [(path, word) for path, words in WORDS.items() for word in words],
    ids=lambda value: str(value),
)
def test_a_word_is_defined_where_it_is_first_used(document: Path, word: str) -> None:
    text = prose(document).lower()
    first = re.search(rf"\b{word}", text)
    assert first
    assert text[first.start() - 2 :].startswith(f"**{word}**")
    assert text.count(f"**{word}**") == 1


@READMES
def test_there_is_one_picture(document: Path) -> None:
    assert len(re.findall(r"!\[[^\]]+\]\(", document.read_text())) == 1


@READMES
def test_every_page_is_reached_from_the_readme(document: Path) -> None:
    reached, waiting = set[Path](), [document]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        waiting += [target for link in links(page) if (target := target_of(page, link)).suffix == ".md"]
    assert PAGES
    assert [page.name for page in PAGES if page not in reached] == []
    linked = {target_of(document, link) for link in links(document)}
    assert {ROOT / name for name in ("LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")} <= linked
    assert [page.name for page in PAGES if page not in linked and page.parent == DOCS] == []
