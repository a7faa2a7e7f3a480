"""A stand-in for CiteSum: the same keys, null shares, fields of study and repeated papers; every text is made up.

What a paper says follows from its number, so a paper that is cited again is the same again, and no list of papers
is kept. Texts are put together from the small vocabulary below. Shares are those of the full train split.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from nequi_lake.samples._draw import (
    Bits,
    Floats,
    Ints,
    chunks,
    from_quantiles,
    mixed,
    rows_at,
    shares_of,
    shuffled,
    stream,
    written,
)

FULL_ROWS = {"train": 83_304, "validation": 4_721, "test": 4_921}
LEAST_ROWS = 3
CHUNK_ROWS = 4_000

FIELDS = (
    *("Computer Science", "Mathematics", "Medicine", "Engineering", "Physics", "Biology", "Psychology", "Economics"),
    *("Sociology", "Geography", "Geology", "Business", "Political Science", "Chemistry", "Materials Science"),
    *("Philosophy", "Environmental Science", "History", "Art"),
)
"""The nineteen top-level fields of the Microsoft Academic Graph."""

REPEATS: Mapping[int, int] = {
    **{214: 1, 121: 1, 92: 1, 75: 1, 61: 2, 48: 3, 37: 5, 29: 8, 23: 12, 18: 18, 14: 25, 12: 30, 10: 45},
    **{9: 50, 8: 75, 7: 120, 6: 230, 5: 520, 4: 1_250, 3: 4_050, 2: 13_296},
}
"""How often a paper is cited in the train split at scale 1 → papers cited that often; all others are cited once."""

_KNOWN_REPEATS = 8
"""A paper cited this often has a title, a venue and a journal, and one field: else a single paper decides a share."""

_BLOCK = 2**16
"""Papers between 1 and this many have identifiers like the real ones; each further block's begin above the last's."""
_PAPER_ID = (
    (0.0, 0.0022, 0.0115, 0.077, 0.5, 0.949, 1.0),
    (1_058.0, 10_000.0, 100_000.0, 1_000_000.0, 10_000_000.0, 100_000_000.0, 215_689_091.0),
)

_LINES = FULL_ROWS["train"]
_TITLE_NULL = 651 / _LINES
_NO_DISCIPLINE = 0.0179
_NEITHER = 0.01
_ONLY_JOURNAL = 5_192 / _LINES - _NO_DISCIPLINE - _NEITHER
_ONLY_VENUE = 29_500 / _LINES - _NO_DISCIPLINE - _NEITHER
_ARXIV = 12_172 / _LINES
_ONE_FIELD = 54_086 / _LINES
_OTHER_VENUE = 0.01
_SAME_SENTENCE = 0.036
"""Shares of lines: those of the full file, and where it does not say, of an extract of it."""

_MIDDLE_SENTENCES = (6, 15)
_STEPS = (0.4142135623730951, 0.7320508075688772, 0.2360679774997898, 0.6457513110645906)
"""Steps of an irrational part of 1 spread any number of papers evenly over a distribution."""

_NULL = pl.Series(["null"])
_NOTHING = pl.Series([""])
_ARXIV_NAME = pl.Series(['"ArXiv"'])

_TOPICS = (
    *("image segmentation", "object detection", "machine translation", "speech recognition", "graph partitioning"),
    *("wireless sensor networks", "software defect prediction", "cloud scheduling", "protein folding", "code search"),
    *("query optimisation", "reading comprehension", "motion planning", "network coding", "cache placement"),
    *("user modelling", "program verification", "anomaly detection", "entity linking", "traffic forecasting"),
    *("compressed sensing", "medical imaging", "depth estimation", "question answering", "community detection"),
    *("stream processing", "energy harvesting", "word embeddings", "sentiment analysis", "action recognition"),
    *("channel estimation", "privacy-preserving learning", "visual tracking", "text summarisation", "face alignment"),
    *("collaborative filtering", "secure multiparty computation", "mesh reconstruction", "pose estimation"),
    *("spectrum sharing", "ontology matching", "crowd counting", "keyword spotting", "causal inference"),
)
_METHODS = (
    *("attention network", "convolutional model", "greedy algorithm", "Bayesian estimator", "graph neural network"),
    *("sampling scheme", "convex relaxation", "recurrent encoder", "kernel method", "type system", "sparse code"),
    *("distributed protocol", "reinforcement learner", "tree-structured index", "random forest", "variational bound"),
    *("adversarial objective", "message-passing decoder", "game-theoretic mechanism", "factor model"),
)
_QUALITIES = (
    *("robust", "scalable", "end-to-end", "lightweight", "interpretable", "weakly supervised", "online", "fast"),
    *("hierarchical", "multi-task", "context-aware", "low-rank", "data-driven", "self-supervised", "cooperative"),
)
_SUBJECTS = (
    *("Learning", "Vision", "Networks", "Linguistics", "Robotics", "Databases", "Security", "Biology", "Logic"),
    *("Signals", "Graphics", "Software", "Information Systems", "Optimization", "Human Factors", "Imaging"),
)
_KINDS = (
    *("Applied", "Computational", "Distributed", "Empirical", "Formal", "Industrial", "Mobile", "Statistical"),
    *("Cognitive", "Medical", "Parallel", "Social", "Embedded", "Dependable"),
)
_SMALL = ("2", "3", "4", "5", "6", "7", "8", "9", "11", "12", "14", "16", "24", "40", "64", "120", "300", "1,000")
_PERCENT = ("0.4", "0.9", "1.3", "1.8", "2.2", "2.7", "3.4", "4.1", "5.6", "7.3", "9.8", "12.5", "17", "23.6", "31")
_YEARS = tuple(str(year) for year in range(1998, 2021))

_WORDS: Mapping[str, tuple[str, ...]] = {
    "topic": _TOPICS,
    "method": _METHODS,
    "quality": _QUALITIES,
    "subject": _SUBJECTS,
    "kind": _KINDS,
    "number": _SMALL,
    "percent": _PERCENT,
    "year": _YEARS,
}
_ARTICLE = re.compile(r"\b([Aa]) (?=[aeio])")

_OPENINGS = (
    *("Recent progress in {topic} rests on large amounts of labelled data", "The cost of {topic} grows with scale"),
    *("Despite years of work, {topic} remains hard in practice", "Many large systems now depend on {topic}"),
    *("We study {topic} where little is known in advance", "Errors in {topic} are seldom independent of each other"),
    *("This paper looks at {topic} from the user’s side", "Abstract-Methods for {topic} are mostly tuned by hand"),
    *('The term "{topic}" covers several tasks', "Classical approaches to {topic} need \\(O(n^2)\\) steps"),
)
_TURNS = (
    *(", and we propose a {quality} {method} instead. ", "; a {quality} {method} removes this need. "),
    *(". We therefore derive a {quality} {method} from first principles. ", " – a gap that a {method} closes. "),
    *(". Here a {quality} {method} is trained on the residual, without extra supervision. ", ", unlike a {method}. "),
)
_SUBJECT_PARTS = (
    *("The {quality} {method} ", "Unlike earlier work on {topic}, our {method} ", "In a first stage, the {method} "),
    *("A second, {quality} component ", "For {topic}, the same {method} ", "A naïve {method} "),
    *("Our analysis of {topic} ", "Each {quality} module ", 'What we call a "{quality}" {method} '),
)
_PREDICATES = (
    *("shares its parameters with a {quality} {method}. ", "yields features that also serve {topic}. "),
    *("extends to {topic} with few changes. ", "avoids the {quality} approximations on which a {method} relies. "),
    *("has a cost of at most α·n for n ≥ {number}. ", "is updated every {number} steps as data on {topic} arrive. "),
    *("explains {percent}% of the variance seen in {topic}. ", "converges under the Erdős–Rényi model. "),
    *(
        "can be seen as a {method} with a {quality} prior. ",
        "needs no more memory where {topic} has {number} sources. ",
    ),
)
_RESULTS = (
    *("Experiments on {number} benchmarks show gains of {percent}% over a strong {method}.", "Code is available."),
    *("A study with {number} participants confirms this for {topic}.", "The bound is tight up to {percent}%."),
    "It needs {number} times fewer parameters than a {method}, at a loss of only {percent}%.",
    "On data from {number} sites the error of {topic} falls by {percent}% (p < 0.05).",
    "Run time drops from hours to {number} minutes on a single machine.",
)
_TITLES = (
    *("A {quality} {method} for {topic}", "{kind} {subject} and {topic}", "On {topic} and {topic}"),
    *(
        "Towards {quality} {topic}",
        "Rethinking {topic} in {kind} {subject}",
        '"{kind}" {topic} via a {quality} {method}',
    ),
)
_SUBTITLES = (
    *(": a {quality} {method} approach", " with {quality} {subject}", ": from {topic} to {kind} {subject}"),
    *(
        " under {quality} constraints on {topic}",
        ", with Applications to {kind} {subject}",
        ": {subject} meets {topic}",
    ),
)
_CITING = (
    *("In REF , the authors studied {topic} and ", "REF looked at {topic} and ", "For {topic} , REF "),
    *("More recently , the work in REF on {topic} ", "Closest to ours , REF revisits {topic} and "),
    *("To handle {topic} , REF ", "A team working on {kind} {subject} REF "),
)
_CLAIMS = (
    *("introduced a {quality} {method}", "compared a {quality} {method} with {number} simpler ones"),
    *("extended the {method} to {topic}", "proved that a {quality} {method} needs no labels"),
    *(
        "proposed a {quality} {method} which reached {percent}% accuracy",
        "used a {quality} {method} ( {number} layers )",
    ),
)
_ENDS = (
    *(" .", " for {topic} .", " , at the cost of a {quality} {method} .", " on {number} data sets .", " in {year} ."),
    *(" as a special case of {topic} .", " , a result later used in {kind} {subject} ."),
)
_VENUES = (
    *("{year} IEEE International Conference on {kind} {subject}", "{kind} {subject} '{year}"),
    *("Workshop on {kind} {subject} and {subject}", "In Proceedings of {kind} {subject}, {year}"),
    'Proc. {year} Symposium "{kind} {subject}"',
)
_JOURNALS = (
    *("Journal of {kind} {subject}", "IEEE Transactions on {kind} {subject}", "{kind} {subject} Letters"),
    *("International Journal of {kind} {subject}", "Annals of {kind} and {kind} {subject}"),
    *("{kind} {subject} & {subject}", "{kind} {subject} and {subject} Research"),
)
_FIELD_LISTS: Mapping[tuple[str, ...], int] = {
    ("Mathematics", "Computer Science"): 572,
    ("Computer Science", "Mathematics"): 500,
    ("Computer Science", "Medicine"): 282,
    ("Engineering", "Computer Science"): 102,
    ("Engineering",): 82,
    ("Mathematics",): 76,
    ("Medicine", "Computer Science"): 57,
    ("Medicine",): 47,
    ("Computer Science", "Engineering"): 46,
    ("Engineering", "Medicine", "Computer Science"): 35,
    ("Biology", "Medicine"): 30,
    ("Computer Science", "Physics"): 29,
    ("Mathematics", "Medicine", "Computer Science"): 21,
    ("Psychology", "Medicine"): 21,
    ("Economics",): 17,
    ("Physics",): 14,
}
"""Lists of fields other than Computer Science alone → how common each is; the rarer ones are made from ``FIELDS``."""
_RARE_LISTS = 360
_RARE_WEIGHT = 290


@dataclass(frozen=True)
class _Texts:
    """Texts to draw from, each written as it stands inside a JSON string; lists of fields as whole JSON."""

    openings: pl.Series
    turns: pl.Series
    subjects: pl.Series
    predicates: pl.Series
    results: pl.Series
    titles: pl.Series
    subtitles: pl.Series
    citing: pl.Series
    claims: pl.Series
    ends: pl.Series
    venues: pl.Series
    journals: pl.Series
    fields: pl.Series
    field_weights: Floats


@dataclass(frozen=True)
class _Shares:
    """Shares among the papers that are not known ones: those make up for what the known ones never miss."""

    known_papers: int
    title_null: float
    cases: Floats
    """Edges of: no discipline, neither venue nor journal, only a journal, only a venue; the rest has both."""
    arxiv: float
    one_field: float


def sample(scale: float, seed: int) -> Mapping[str, Iterator[bytes]]:
    """The raw files at ``scale`` times their full size: the same bytes for the same scale and seed.

    Returns:
        File name → chunks of the file of some megabytes, made as they are asked for.
    """
    pool = _texts(stream(seed))
    return {f"{split}.json": _file(pool, split, scale, seed) for split in FULL_ROWS}


def _file(pool: _Texts, split: str, scale: float, seed: int) -> Iterator[bytes]:
    counts = _papers_by_repeats(scale)
    place = list(FULL_ROWS).index(split)
    for _, first, count in chunks(rows_at(scale, FULL_ROWS[split], least=LEAST_ROWS), CHUNK_ROWS):
        yield _json_lines(pool, np.arange(first, first + count), counts, place, seed)


def _texts(rng: np.random.Generator) -> _Texts:
    rare = [tuple(FIELDS[i] for i in rng.permutation(len(FIELDS))[: 2 + n % 4]) for n in range(_RARE_LISTS)]
    weights = {**_FIELD_LISTS, **{fields: _RARE_WEIGHT / (2 + n) for n, fields in enumerate(rare)}}
    return _Texts(
        openings=_written(_OPENINGS, 800, rng),
        turns=_written(_TURNS, 800, rng),
        subjects=_written(_SUBJECT_PARTS, 2_000, rng),
        predicates=_written(_PREDICATES, 2_000, rng),
        results=_written(_RESULTS, 800, rng),
        titles=_written(_TITLES, 1_500, rng),
        subtitles=_written(_SUBTITLES, 1_500, rng),
        citing=_written(_CITING, 400, rng),
        claims=_written(_CLAIMS, 1_500, rng),
        ends=_written(_ENDS, 800, rng),
        venues=_written(_VENUES, 12_000, rng),
        journals=_written(_JOURNALS, 8_000, rng),
        fields=pl.Series([json.dumps(fields) for fields in (*weights, FIELDS[:1])]),
        field_weights=np.array([*weights.values()], dtype=np.float64),
    )


def _written(templates: tuple[str, ...], count: int, rng: np.random.Generator) -> pl.Series:
    """Texts of these templates as they stand inside a JSON string."""
    texts = (_ARTICLE.sub(r"\1n ", text) for text in written(templates, _WORDS, count, rng))
    return pl.Series([json.dumps(text, ensure_ascii=False)[1:-1] for text in texts])


def _papers_by_repeats(scale: float) -> dict[int, int]:
    """How often cited → papers of the train split at that scale, the most often cited first."""
    left = rows_at(scale, FULL_ROWS["train"], least=LEAST_ROWS)
    counts: dict[int, int] = {}
    wanted, given = 0, 0
    for repeats, papers in REPEATS.items():
        wanted += papers
        counts[repeats] = min(round(wanted * scale) - given, left // repeats)
        given += counts[repeats]
        left -= repeats * counts[repeats]
    return counts | {1: left}


def _shares(counts: Mapping[int, int]) -> _Shares:
    known = {repeats: papers for repeats, papers in counts.items() if repeats >= _KNOWN_REPEATS}
    known_lines = sum(repeats * papers for repeats, papers in known.items())
    lines = sum(repeats * papers for repeats, papers in counts.items())
    other = 1.0 - known_lines / lines
    cases = np.cumsum([_NO_DISCIPLINE, _NEITHER, _ONLY_JOURNAL, _ONLY_VENUE]) / other
    return _Shares(
        known_papers=sum(known.values()),
        title_null=_TITLE_NULL / other,
        cases=cases,
        arxiv=_ARXIV / other / (1.0 - cases[-1]),
        one_field=(_ONE_FIELD / (1.0 - _NO_DISCIPLINE) - 1.0 + other) / other,
    )


def _json_lines(pool: _Texts, lines: Ints, counts: Mapping[int, int], place: int, seed: int) -> bytes:
    papers = _cited(lines, place, counts, seed)
    # A line may say what the line before it says, of another paper.
    said = np.maximum(lines - (shares_of(mixed(lines, seed, 5, place)) < _SAME_SENTENCE), 0)
    sentence = (pool.citing, pool.claims, pool.ends)
    parts = [
        *('{"src": "', *_abstract(pool, papers, seed), '", "tgt": "'),
        *(_drawn(texts, mixed(said, seed, 7, place, at)) for at, texts in enumerate(sentence)),
        *('", "paper_id": "', pl.Series(_paper_ids(papers, seed)), '", "title": '),
        *(*_title_and_discipline(pool, papers, _shares(counts), seed), "}\n"),
    ]
    lines_of_json: str = pl.select(pl.concat_str(pl.lit(part) for part in parts).str.join("")).item()
    return lines_of_json.encode()


def _cited(lines: Ints, place: int, counts: Mapping[int, int], seed: int) -> Ints:
    """The number of the paper that each line cites; papers are numbered from the most often cited on."""
    total = sum(repeats * papers for repeats, papers in counts.items())
    if place == 0:
        slots = shuffled(lines, total, seed, 1)
    else:
        # Half of the other splits' lines cite papers that train does not have.
        slots = (mixed(lines, seed, 2, place) % np.uint64(2 * total)).astype(np.int64)
    repeats = np.array([*counts, 6])
    papers = np.array([*counts.values(), 0])
    first_slot = np.concatenate(([0], np.cumsum(repeats * papers)[:-1]))
    first_paper = np.concatenate(([0], np.cumsum(papers)[:-1]))
    group = np.searchsorted(first_slot, slots, side="right") - 1
    cited: Ints = first_paper[group] + (slots - first_slot[group]) // repeats[group]
    return cited


def _paper_ids(papers: Ints, seed: int) -> Ints:
    """The identifiers of papers: no two alike, of four to nine digits at scale 1."""
    block, within = papers // _BLOCK, papers % _BLOCK
    rank = shuffled(within, _BLOCK, seed, 3) + 0.9 * shares_of(mixed(papers, seed, 4))
    return from_quantiles(rank / _BLOCK, *_PAPER_ID).astype(np.int64) + block * int(_PAPER_ID[1][-1])


def _abstract(pool: _Texts, papers: Ints, seed: int) -> Iterator[pl.Series]:
    """The abstract of each paper, in parts that follow each other."""

    def drawn(texts: pl.Series, slot: int) -> pl.Series:
        return _drawn(texts, mixed(papers, seed, 6, slot))

    least, most = _MIDDLE_SENTENCES
    sentences = least + (mixed(papers, seed, 9) % np.uint64(most - least + 1)).astype(np.int64)
    yield drawn(pool.openings, 0)
    yield drawn(pool.turns, 1)
    for number in range(most):
        shown = pl.Series(number < sentences)
        yield drawn(pool.subjects, 3 + 2 * number).zip_with(shown, _NOTHING)
        yield drawn(pool.predicates, 4 + 2 * number).zip_with(shown, _NOTHING)
    yield drawn(pool.results, 2)


def _title_and_discipline(pool: _Texts, papers: Ints, shares: _Shares, seed: int) -> Iterator[pl.Series | str]:
    """The title of each paper, the discipline's key, and the discipline, in parts that follow each other."""
    # A known paper stands at the top of every distribution.
    title_at, case_at, arxiv_at, fields_at = (
        np.where(papers < shares.known_papers, 1.0, (papers * step + seed % 1_000 * 0.001) % 1.0) for step in _STEPS
    )
    case = np.searchsorted(shares.cases, case_at, side="right")
    present, both = pl.Series(case > 0), pl.Series(case == 4)
    arxiv = both & pl.Series(arxiv_at < shares.arxiv)
    same = both & pl.Series(shares_of(mixed(papers, seed, 10)) >= _OTHER_VENUE)
    weights = pool.field_weights / pool.field_weights.sum() * (1.0 - shares.one_field)
    fields = np.searchsorted(np.cumsum(weights), fields_at, side="right")

    journal = _ARXIV_NAME.zip_with(arxiv, _quoted(_drawn(pool.journals, mixed(papers, seed, 11), skewed=True)))
    venue = journal.zip_with(same, _quoted(_drawn(pool.venues, mixed(papers, seed, 12), skewed=True)))
    title = _quoted(_drawn(pool.titles, mixed(papers, seed, 13)), _drawn(pool.subtitles, mixed(papers, seed, 14)))
    yield title.zip_with(pl.Series(title_at >= shares.title_null), _NULL)
    yield ', "discipline": '
    yield pl.select(
        pl.when(present)
        .then(
            pl.concat_str(
                pl.lit('{"venue": '),
                venue.zip_with(both | pl.Series(case == 3), _NULL),
                pl.lit(', "journal": '),
                journal.zip_with(both | pl.Series(case == 2), _NULL),
                pl.lit(', "mag_field_of_study": '),
                pool.fields.gather(fields),
                pl.lit("}"),
            )
        )
        .otherwise(pl.lit("null"))
    ).to_series()


def _drawn(texts: pl.Series, bits: Bits, *, skewed: bool = False) -> pl.Series:
    """One of the texts for each of the bits; where skewed, the first ones far more often than the last."""
    at = shares_of(bits)
    return texts.gather((len(texts) * (at * at * at if skewed else at)).astype(np.int64))


def _quoted(*parts: pl.Series) -> pl.Series:
    return pl.select(pl.concat_str(pl.lit('"'), *parts, pl.lit('"'))).to_series()
