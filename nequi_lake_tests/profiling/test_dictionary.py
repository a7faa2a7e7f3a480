"""The data dictionary says what the contracts say, links to all of it, and needs no network."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import dataframely as dy
import duckdb
import polars as pl
import pytest

from nequi_lake.datasets.contract import column_meta, one_of
from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.formats import CsvFile
from nequi_lake.formats.types import sql_type
from nequi_lake.profiling import diagram
from nequi_lake.profiling.dictionary import dictionary_markdown, dictionary_page

FILE = Path(__file__).parents[2] / "docs" / "dictionary.md"
HOSTILE = "<script>alert('x')</script> *a* | b"


def table(name: str, *parents: str, key: bool = False) -> Table:
    """A table of a key and of references; where ``key``, the reference is the key."""
    columns: dict[str, object] = {
        f"{parent}_id": dy.Int64(
            primary_key=key, description="Parent.", metadata=column_meta(unit="id", source="id", references=parent)
        )
        for parent in parents
    }
    if not key:
        columns[f"{name}_id"] = dy.Int64(
            primary_key=True, description="Key.", metadata=column_meta(unit="id", source="id")
        )
    columns["text"] = dy.String(
        description=HOSTILE,
        check=one_of("a|b", "<i>"),
        metadata=column_meta(unit="text", source="text", null_tokens=["n/a"]),
    )
    contract = type(name, (dy.Schema,), {**columns, "__doc__": "One row per thing."})
    return Table(name=name, description=HOSTILE, contract=contract)


@pytest.fixture(scope="module")
def family() -> Dataset:
    """A dataset with hostile texts: b and c refer to a, b by its key, and d to b and, past a level, to a."""
    return Dataset(
        name="family",
        slug="nobody/family",
        title=HOSTILE,
        licence="none",
        use_case="Tests.",
        files=(
            CsvFile(name="f.csv", description=HOSTILE, columns=("id", "text", "x"), dropped={"x": "Not | needed."}),
        ),
        tables=(table("a"), table("b", "a", key=True), table("c", "a"), table("d", "a", "b")),
    )


def test_the_document_is_that_of_the_contracts(datasets: Mapping[str, Dataset]) -> None:
    made = dictionary_markdown(datasets.values())
    assert FILE.read_text() == made, "docs/dictionary.md is stale: nequi-lake dictionary --output docs/dictionary.md"


def test_every_table_and_column_has_an_anchor_and_every_link_leads_to_one(datasets: Mapping[str, Dataset]) -> None:
    page = dictionary_page(datasets.values()).decode()
    anchors = Counter(re.findall(r' id="([^"]+)"', page))
    assert max(anchors.values()) == 1
    for dataset in datasets.values():
        for table in dataset.relations:
            name = f"{dataset.name}.{table.name}"
            assert [a for a in (name, *(f"{name}.{column}" for column in table.columns)) if a not in anchors] == []
    links = set(re.findall(r'href="([^"]+)"', page))
    assert {link for link in links if link.startswith("#")} <= {f"#{anchor}" for anchor in anchors}
    assert {link for link in links if not link.startswith("#")} == {
        f"https://www.kaggle.com/datasets/{dataset.slug}" for dataset in datasets.values()
    }


def test_the_page_loads_nothing_and_runs_nothing(datasets: Mapping[str, Dataset]) -> None:
    page = dictionary_page(datasets.values()).decode()
    assert re.findall(r"<script|<link|<img|src=|url\(|@import| on\w+=", page) == []


def test_reports_are_linked_where_they_are(datasets: Mapping[str, Dataset]) -> None:
    page = dictionary_page(datasets.values(), reports=["credit_risk.loans"]).decode()
    assert re.findall(r'href="([^"#]+\.html)"', page) == ["index.html", "credit_risk/loans.html"]


def test_texts_never_become_markup(family: Dataset) -> None:
    page = dictionary_page([family]).decode()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "<code>&lt;i&gt;</code>" in page
    (row,) = [line for line in dictionary_markdown([family]).splitlines() if line.startswith("| `text`")][:1]
    assert row == (
        r"| `text` |  | string | text | \<script\>alert('x')\</script\> \*a\* \| b | never | `a\|b`, `<i>` | `text`; "
        "`n/a` counts as missing |"
    )


def test_limits_are_in_words(datasets: Mapping[str, Dataset]) -> None:
    text = dictionary_markdown(datasets.values())
    told = {
        cells[1].strip(): [cell.strip() for cell in cells]
        # A column of a mart that is called like a table's comes after it.
        for cells in (line.split("|") for line in reversed(text.splitlines()))
        if len(cells) > 8
    }
    assert told["`loan_amnt`"][6:9] == ["never", "500 to 40,000", "`loan_amnt`"]
    assert told["`term_months`"][7] == "`36`, `60`"
    assert told["`issue_date`"][3:5] == ["date", "date"]
    assert told["`issue_date`"][7] == "2007-01-01 to 2020-12-31"
    assert told["`zip_code`"][7] == r"matches `^[0-9]{3}xx$`"
    assert told["`emp_title`"][6] == "up to 8 %"
    assert told["`dti_joint`"][6] == "any share"
    assert told["`elapsed_s`"][7:9] == ["0 or more", "made from `profile_id`"]
    assert told["`split`"][8] == "the file's name"


def test_marts_stand_apart_and_say_of_which_tables_they_are_made(datasets: Mapping[str, Dataset]) -> None:
    text = dictionary_markdown(datasets.values())
    tables, marts = text.split("### Marts of credit_risk")
    assert "### credit_risk.payments" in tables
    assert "### credit_risk.portfolio_status" in marts
    assert "- Made from: `loans`, `payments`" in marts
    assert "made from `loans.int_rate`, `loans.funded_amnt`" in marts
    assert 'id="credit_risk.marts"' in dictionary_page(datasets.values()).decode()


def test_a_group_of_marts_stands_apart_with_a_diagram_of_its_facts_and_dimensions(
    datasets: Mapping[str, Dataset],
) -> None:
    tables, star = dictionary_markdown(datasets.values()).split("### Group star of credit_risk")
    of_tables = tables.split("## credit_risk")[1].split("```mermaid")[1].split("```")[0]
    of_star = star.split("```mermaid")[1].split("```")[0]
    assert "fact_loan" not in of_tables
    assert re.findall(r"(\w+) \|\|--o. fact_loan : (\w+)", of_star) == [
        (reference.to, *reference.columns) for reference in datasets["credit_risk"].mart("fact_loan").foreign_keys
    ]
    assert "loans ||--o| fact_loan : loan_id" in of_star
    assert "### credit_risk.dim_borrower_band" in star
    assert "made from `dim_grade.grade_key`, `loans.sub_grade`" in star
    page = dictionary_page(datasets.values()).decode()
    assert 'id="credit_risk.groups.star"' in page
    assert page.count("How the marts of the group star refer to each other") == len(datasets)


def test_dropped_columns_say_why(family: Dataset) -> None:
    assert r"| `f.csv` | `x` | Not \| needed. |" in dictionary_markdown([family])
    assert "Not | needed." in dictionary_page([family]).decode()


def test_the_diagram_reports_one_row_from_many(family: Dataset) -> None:
    lines = diagram.mermaid(family.tables).splitlines()
    assert lines[1:5] == [
        "  a ||--o| b : a_id",
        "  a ||--o{ c : a_id",
        "  a ||--o{ d : a_id",
        "  b ||--o{ d : b_id",
    ]
    assert "    bigint a_id PK, FK" in lines


def test_boxes_of_the_drawing_stand_apart_and_within_it(family: Dataset) -> None:
    drawing = ElementTree.fromstring(diagram.svg(family.tables, '"a" & <b>'))
    width, height = float(drawing.attrib["width"]), float(drawing.attrib["height"])
    boxes = [
        tuple(float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
        for rect in drawing.iter()
        if rect.tag.endswith("rect")
    ]
    assert len(boxes) == 4
    assert all(x > 0 and y > 0 and x + w < width and y + h < height for x, y, w, h in boxes)
    assert not any(
        a < c + cw and c < a + aw and b < d + dh and d < b + bh
        for (a, b, aw, bh) in boxes
        for (c, d, cw, dh) in boxes
        if (a, b) != (c, d)
    )
    assert len([path for path in drawing.iter() if path.attrib.get("class") == "line"]) == 4


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (pl.Int64(), "bigint"),
        (pl.String(), "string"),
        (pl.Decimal(12, 2), "decimal(12,2)"),
        (pl.List(pl.Float64), "array<double>"),
        (pl.Struct({"a": pl.Date, "b": pl.Boolean}), "struct<a:date,b:boolean>"),
        (pl.Datetime("us", "UTC"), "timestamp"),
        (pl.UInt8(), "UInt8"),
    ],
    ids=str,
)
def test_types_are_named_as_in_sql(dtype: pl.DataType, name: str) -> None:
    assert sql_type(dtype) == name


def test_duckdb_understands_the_names(datasets: Mapping[str, Dataset]) -> None:
    names = {sql_type(c.dtype) for dataset in datasets.values() for t in dataset.relations for c in t.columns.values()}
    for name in names:
        duckdb.execute(f"SELECT NULL::{name}")
    assert {"bigint", "double", "string", "boolean", "date"} <= names
