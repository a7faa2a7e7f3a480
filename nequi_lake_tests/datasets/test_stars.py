"""The star schemas of motor and papers: figures checked against plain Python, and keys that never change."""

from __future__ import annotations

import math
import random
from collections import Counter
from fractions import Fraction
from hashlib import md5
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nequi_lake_tests.datasets.test_cite_sum_marts import CITED, TABLES, fields_of
from nequi_lake_tests.marts import group_of

Row = dict[str, Any]
Star = dict[str, pl.DataFrame]


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Star:
    """The star of the made-up papers."""
    return group_of("cite_sum", "star", TABLES, tmp_path_factory.mktemp("papers"))


def key_of(text: str) -> int:
    """60 bits of a text's hash."""
    return int(md5(text.encode()).hexdigest()[:15], 16)


def venue_of(paper: Row) -> tuple[str, str]:
    """Kind and name of where a paper appeared."""
    journal, venue = ((paper[name] or "").strip() for name in ("journal", "venue"))
    return ("journal", journal) if journal else ("venue", venue) if venue else ("unknown", "unknown")


def test_every_sentence_is_a_fact_of_its_paper_and_venue(papers: Star) -> None:
    venues = {row["venue_key"]: (row["venue_kind"], row["venue"]) for row in papers["dim_venue"].rows(named=True)}
    told = {row["paper_key"]: row for row in papers["dim_paper"].rows(named=True)}
    of_paper = {paper["paper_id"]: paper for paper in TABLES["papers"]}
    facts = {(row["split"], row["line"]): row for row in papers["fact_citation"].rows(named=True)}
    assert len(papers["fact_citation"]) == len(facts) == len(TABLES["citations"])
    for citation in TABLES["citations"]:
        fact = facts[citation["split"], citation["line"]]
        paper = told[fact["paper_key"]]
        assert paper["paper_id"] == citation["paper_id"]
        assert paper["title"] == of_paper[citation["paper_id"]]["title"]
        assert venues[fact["venue_key"]] == venues[paper["venue_key"]] == venue_of(of_paper[citation["paper_id"]])
        assert fact["sentence_characters"] == len(citation["tgt"])


def test_citations_by_venue_are_those_of_the_papers(papers: Star) -> None:
    expected: Counter[tuple[str, str]] = Counter()
    for paper in TABLES["papers"]:
        expected[venue_of(paper)] += CITED[paper["paper_id"]]
    rows = papers["fact_citation"].join(papers["dim_venue"], "venue_key").rows(named=True)
    assert Counter((row["venue_kind"], row["venue"]) for row in rows) == +expected
    assert papers["dim_venue"].filter(venue_key=0).rows() == [(0, "unknown", "unknown")]
    assert set(papers["dim_venue"].select("venue_kind", "venue").rows()) == {*expected}


def test_weights_of_fields_add_up_to_the_citations(papers: Star) -> None:
    expected: dict[str, Fraction] = {}
    for citation in TABLES["citations"]:
        fields = set(fields_of(citation["paper_id"])) or {"unclassified"}
        for field in fields:
            expected[field] = expected.get(field, Fraction()) + Fraction(1, len(fields))
    rows = papers["fact_citation"].join(papers["bridge_paper_field"], "paper_key").rows(named=True)
    found: dict[str, float] = {}
    for row in rows:
        found[row["mag_field_of_study"]] = found.get(row["mag_field_of_study"], 0.0) + row["weight"]
    assert found == pytest.approx({field: float(weight) for field, weight in expected.items()})
    assert sum(found.values()) == pytest.approx(len(TABLES["citations"]))
    of_papers = papers["bridge_paper_field"].group_by("paper_key").agg(pl.col("weight").sum())
    assert len(of_papers) == len(TABLES["papers"])
    assert of_papers["weight"].to_list() == pytest.approx([1.0] * len(of_papers))


def test_keys_are_of_the_names_alone_and_stay_where_others_come(papers: Star, tmp_path: Path) -> None:
    some = {paper["paper_id"] for paper in TABLES["papers"][::3]}
    other = {name: [row for row in rows if row["paper_id"] in some] for name, rows in TABLES.items()}
    later = group_of("cite_sum", "star", other, tmp_path)
    for row in papers["dim_paper"].rows(named=True):
        assert row["paper_key"] == key_of(row["paper_id"])
    for row in papers["dim_venue"].rows(named=True):
        assert row["venue_key"] in (0, key_of(f"{row['venue_kind']} {row['venue']}"))
    for name in ("dim_paper", "dim_venue"):
        assert 0 < len(later[name]) < len(papers[name]) or name == "dim_venue"
        assert set(later[name].rows()) <= set(papers[name].rows())


def test_no_papers_give_the_venue_unknown_alone(tmp_path: Path) -> None:
    empty = group_of("cite_sum", "star", dict.fromkeys(TABLES, ()), tmp_path)
    assert {name: len(frame) for name, frame in empty.items() if len(frame)} == {"dim_venue": 1}


def measurements() -> list[Row]:
    """Three sessions of 10, 200 and 130 measurements."""
    draw = random.Random(5)
    signals = ("motor_speed", "torque", "i_d", "i_q", "coolant", "ambient", "stator_winding", "pm")
    return [
        {
            "profile_id": session,
            "sample": sample,
            "elapsed_s": sample / 2,
            **{signal: draw.uniform(-20, 90) for signal in signals},
        }
        for session, count in ((4, 10), (17, 200), (2, 130))
        for sample in range(count)
    ]


def test_the_motor_minute_by_minute_and_its_sessions(tmp_path: Path) -> None:
    rows = measurements()
    lengths = {4: 3599.5, 17: 3600.0, 2: 50_000.0}
    sessions = [
        {
            "profile_id": session,
            "samples": sum(row["profile_id"] == session for row in rows),
            "duration_s": duration,
            "uncertain_from": 7 if session == 4 else None,
        }
        for session, duration in lengths.items()
    ]
    star = group_of("electric_motor", "star", {"measurements": rows, "sessions": sessions}, tmp_path)
    minutes: dict[tuple[int, int], list[Row]] = {}
    for row in rows:
        minutes.setdefault((row["profile_id"], int(row["elapsed_s"] // 60)), []).append(row)
    facts = {(fact["session_key"], fact["minute"]): fact for fact in star["fact_motor_minute"].rows(named=True)}
    assert facts.keys() == minutes.keys()
    for place, own in minutes.items():
        fact = facts[place]
        assert fact["measurements"] == len(own)
        assert fact["pm_max"] == max(row["pm"] for row in own)
        for signal in ("motor_speed", "torque", "coolant", "ambient", "stator_winding", "pm"):
            assert fact[f"{signal}_mean"] == pytest.approx(sum(row[signal] for row in own) / len(own), abs=1e-6)
        power = sum(row["torque"] * row["motor_speed"] * math.tau / 60 for row in own) / len(own)
        assert fact["power_mean"] == pytest.approx(power, abs=1e-6)
        squared = sum(row["i_d"] ** 2 + row["i_q"] ** 2 for row in own) / len(own)
        assert fact["current_squared_mean"] == pytest.approx(squared, abs=1e-6)
    told = {row["session_key"]: row for row in star["dim_session"].rows(named=True)}
    assert {session: row["duration_band"] for session, row in told.items()} == {
        4: "under 1 hour",
        17: "1 to 2 hours",
        2: "4 hours and more",
    }
    for session, row in told.items():
        own = [each for each in rows if each["profile_id"] == session]
        of_facts = [fact for fact in facts.values() if fact["session_key"] == session]
        assert row["measurements"] == len(own) == sum(fact["measurements"] for fact in of_facts)
        assert row["duration_s"] == lengths[session]
        assert row["is_certain"] == (session != 4)
        assert row["pm_max"] == max(each["pm"] for each in own) == max(fact["pm_max"] for fact in of_facts)
        assert row["motor_speed_max"] == max(each["motor_speed"] for each in own)
