"""The figures of the papers' marts, each held against plain Python over the same papers."""

from __future__ import annotations

import random
import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from nequi_lake_tests.marts import mart_of, stage_mart

Row = dict[str, Any]
Tables = dict[str, list[Row]]
OUTLETS = ((None, None), ("ICML", None), ("ICML", "Nature"), (None, "Nature"), ("  ", " Cell "), (" ", ""))


def made_up() -> Tables:
    """Papers in few fields and outlets, with citations in one split or several."""
    draw = random.Random(3)
    papers, fields, citations = [], [], []
    lines: Counter[str] = Counter()
    for number in range(1, 120):
        paper = str(number)
        venue, journal = draw.choice(OUTLETS)
        title = draw.choice((None, f"Title of {paper}"))
        papers.append(
            {"paper_id": paper, "title": title, "src": f"Text  of {paper}", "venue": venue, "journal": journal}
        )
        for position, field in enumerate(draw.sample(["Art", "History", "Art", "Physics"], draw.randrange(4)), 1):
            fields.append({"paper_id": paper, "position": position, "mag_field_of_study": field})
        for _ in range(draw.randrange(5)):
            split = draw.choice(("train", "train", "test", "validation"))
            lines[split] += 1
            citations.append({"split": split, "line": lines[split], "paper_id": paper, "tgt": f"REF of {paper}"})
    return {"papers": papers, "paper_fields": fields, "citations": citations}


TABLES = made_up()
CITED = Counter(row["paper_id"] for row in TABLES["citations"])


def fields_of(paper: str) -> list[str]:
    """The paper's fields in the publisher's order."""
    own = [row for row in TABLES["paper_fields"] if row["paper_id"] == paper]
    return [row["mag_field_of_study"] for row in sorted(own, key=lambda row: int(row["position"]))]


def test_publications_by_field(tmp_path: Path) -> None:
    papers: Counter[tuple[str, str, str]] = Counter()
    citations: Counter[tuple[str, str, str]] = Counter()
    for paper in TABLES["papers"]:
        journal, venue = ((paper[name] or "").strip() for name in ("journal", "venue"))
        kind, outlet = ("journal", journal) if journal else ("venue", venue) if venue else ("unknown", "unknown")
        for field in set(fields_of(paper["paper_id"])) or {"unclassified"}:
            papers[field, kind, outlet] += 1
            citations[field, kind, outlet] += CITED[paper["paper_id"]]
    rows = mart_of("cite_sum.publications_by_field", TABLES, tmp_path).rows()
    assert {row[:3]: row[3] for row in rows} == papers
    assert {row[:3]: row[4] for row in rows} == citations
    assert all(row[5] == pytest.approx(row[4] / row[3]) for row in rows)
    assert {row[1] for row in rows} == {"journal", "venue", "unknown"}


def test_papers_that_nobody_cites_count_with_no_citations(tmp_path: Path) -> None:
    tables: Tables = {**TABLES, "citations": []}
    frame = mart_of("cite_sum.publications_by_field", tables, tmp_path / "field")
    assert set(frame["citations_per_paper"]) == {0.0}
    per_paper = mart_of("cite_sum.citations_per_paper", tables, tmp_path / "paper")
    assert per_paper.height == len(TABLES["papers"])
    assert set(per_paper["citations"]) == {0}


def test_citations_per_paper(tmp_path: Path) -> None:
    splits = Counter((row["paper_id"], row["split"]) for row in TABLES["citations"])
    rows = mart_of("cite_sum.citations_per_paper", TABLES, tmp_path).rows(named=True)
    assert [row["paper_id"] for row in rows] == sorted(paper["paper_id"] for paper in TABLES["papers"])
    for row in rows:
        assert row["citations"] == CITED[row["paper_id"]]
        for split in ("train", "validation", "test"):
            assert row[f"{split}_citations"] == splits[row["paper_id"], split]
        assert row["main_field"] == next(iter(fields_of(row["paper_id"])), None)
    assert any(row["citations"] == 0 for row in rows)


def test_summarisation_training(tmp_path: Path) -> None:
    rows = mart_of("cite_sum.summarisation_training", TABLES, tmp_path).rows(named=True)
    told = {paper["paper_id"]: paper for paper in TABLES["papers"]}
    sizes = Counter(row["split"] for row in TABLES["citations"])
    splits: dict[str, set[str]] = {}
    for citation in TABLES["citations"]:
        splits.setdefault(citation["paper_id"], set()).add(citation["split"])
    assert len(rows) == len(TABLES["citations"])
    for row in rows:
        paper = row["paper_id"]
        assert (row["title"], row["abstract"]) == (told[paper]["title"], f"Text of {paper}")
        assert (row["summary"], row["abstract_words"], row["summary_words"]) == (f"REF of {paper}", 3, 3)
        assert row["in_other_split"] == (len(splits[paper]) > 1)
        assert row["split_size"] == sizes[row["split"]]
    assert {row["in_other_split"] for row in rows} == {True, False}
    clean = [row for row in rows if not row["in_other_split"]]
    assert len({(row["paper_id"], row["split"]) for row in clean}) == len({row["paper_id"] for row in clean})


def test_each_split_has_a_folder_of_its_own(tmp_path: Path) -> None:
    _, staged, _ = stage_mart("cite_sum.summarisation_training", TABLES, tmp_path)
    assert [Path(path).parent.name for path in staged.paths] == ["split=test", "split=train", "split=validation"]


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "  around ",
        "tab\tline\nand\r\nmore",
        "no-break\xa0space\u2003wide",
        "cafe\u0301",
        "\x00nul\x1f",
        "emoji 👍🏽 kept",
    ],
)
def test_texts_are_cleaned_as_python_would(text: str, tmp_path: Path) -> None:
    tables: Tables = {
        "papers": [{"paper_id": "1", "title": text, "src": text}],
        "citations": [{"split": "train", "line": 1, "paper_id": "1", "tgt": text}],
    }
    (row,) = mart_of("cite_sum.summarisation_training", tables, tmp_path).rows(named=True)
    expected = re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", unicodedata.normalize("NFC", text)).strip()
    assert (row["abstract"], row["summary"], row["title"]) == (expected, expected, expected)
    assert row["summary_words"] == len(expected.split())


def test_a_pair_without_a_text_is_left_out_and_no_title_is_none(tmp_path: Path) -> None:
    tables: Tables = {
        "papers": [
            {"paper_id": "1", "title": " \n", "src": "Text."},
            {"paper_id": "2", "title": "Two", "src": "\u2003"},
        ],
        "citations": [
            {"split": "train", "line": 1, "paper_id": "1", "tgt": "REF."},
            {"split": "train", "line": 2, "paper_id": "1", "tgt": "\t"},
            {"split": "test", "line": 1, "paper_id": "2", "tgt": "REF."},
        ],
    }
    (row,) = mart_of("cite_sum.summarisation_training", tables, tmp_path).rows(named=True)
    assert (row["split"], row["line"], row["title"], row["split_size"]) == ("train", 1, None, 1)


@pytest.mark.parametrize("name", ["publications_by_field", "citations_per_paper", "summarisation_training"])
def test_no_papers_give_no_rows(name: str, tmp_path: Path) -> None:
    tables: Tables = {"papers": [], "citations": [], "paper_fields": []}
    assert mart_of(f"cite_sum.{name}", tables, tmp_path).is_empty()
