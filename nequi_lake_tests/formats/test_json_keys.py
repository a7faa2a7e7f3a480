"""An object that has a key twice is put aside, whatever else hides the count of its keys."""

from __future__ import annotations

import io
import json
from itertools import product
from typing import Any

import polars as pl
import pytest

from nequi_lake.formats import JsonLinesFile, Structure

ITEM = pl.Struct({"name": pl.String, "price": pl.Float64})
FILE = JsonLinesFile(
    name="orders.json",
    description="Orders.",
    schema={
        "id": pl.Int64(),
        "note": pl.String(),
        "to": pl.Struct({"city": pl.String, "street": pl.String}),
        "items": pl.List(ITEM),
    },
)
TO: tuple[Any, ...] = (None, {"city": "X", "street": None})
ITEMS: tuple[Any, ...] = (None, [], [{"name": "a", "price": 1.0}, {"name": "b", "price": 1e39}])
NOTES = (None, "plain", '":', '":":":', " : ")


def problems(*lines: str) -> list[str | None]:
    """What is wrong with each line."""
    content = io.BytesIO("".join(f"{line}\n" for line in lines).encode())
    return [record.reason for record in FILE.validate_records(content, Structure())]


def order(note: str | None, to: Any, items: Any) -> str:
    return json.dumps({"id": 1, "note": note, "to": to, "items": items}, separators=(",", ":"))


@pytest.mark.parametrize("note", NOTES)
def test_missing_objects_and_lists_of_them_are_no_repeated_keys(note: str | None) -> None:
    lines = [order(note, to, items) for to, items in product(TO, ITEMS)]
    assert problems(*lines) == [None] * len(lines)


@pytest.mark.parametrize("to", TO)
@pytest.mark.parametrize("items", ITEMS)
@pytest.mark.parametrize("twice", [1, 2])
@pytest.mark.parametrize("hidden", ['"id":', '"id" :', '"id"\t :', '"i\\u0064":'])
def test_a_key_that_stands_twice_is_found_beside(to: Any, items: Any, twice: int, hidden: str) -> None:
    line = order("x", to, items).replace('"id":', hidden)
    line = "{" + '"note":"other",' * twice + line[1:]
    (problem,) = problems(line)
    assert problem is not None
    assert problem.startswith("the key 'note' stands twice")


def test_a_key_twice_in_an_object_of_a_list_is_found() -> None:
    line = order(None, None, [{"name": "a", "price": 1.0}]).replace('"name":"a"', '"name":"a","name":"b"')
    (problem,) = problems(line)
    assert problem is not None
    assert problem.startswith("the key 'name' stands twice")
