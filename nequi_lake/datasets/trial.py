"""Tries a declaration out on no records: what is wrong with it that only the engine can say.

It starts the engine's threads, which a process that forks later must not have, so that it is no part of loading.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from nequi_lake.datasets.rules import Rule, rules_of, typed_columns, typed_name
from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.errors import DeclarationError
from nequi_lake.formats import PLACE_IS_UNCERTAIN, POSITION_IN_SESSION, RECORD, RawFile
from nequi_lake.formats.words import listed

TODO = "TODO"
"""Stands in a declaration for what only a person knows."""


def try_out(dataset: Dataset) -> None:
    """Ask every rule, expression and transform of a dataset's tables of records that are not there.

    Raises:
        DeclarationError: some of them cannot be asked; all are named.
    """
    found = [(table.name, problem) for table in dataset.tables for problem in _problems(dataset, table)]
    if found:
        listed = "; ".join(dict.fromkeys(f"{table}: {problem}" for table, problem in found))
        raise DeclarationError(
            f"The declaration of {dataset.name} cannot be used: {listed}.",
            where=", ".join(sorted({dataset.table(name).contract.__module__ for name, _ in found})),
            fix="Fix the module.",
        )


def refuse_draft(dataset: Dataset) -> None:
    """Refuse a declaration in which a person still has to say what things mean.

    Raises:
        DeclarationError: it has the word ``TODO`` for a description, a unit or a use.
    """
    found = [what for what, text in _texts(dataset) if text.startswith(TODO)]
    if found:
        raise DeclarationError(
            f"The declaration of {dataset.name} is a draft, with {TODO} for {listed(found)}.",
            where=dataset.tables[0].contract.__module__,
            fix=f"Write what it means. Until then, nequi-lake try {dataset.name} reads the data and publishes nothing.",
        )


def _texts(dataset: Dataset) -> Iterator[tuple[str, str]]:
    """What of a declaration is for people, each with its text."""
    yield "use_case", dataset.use_case
    yield from ((f"the description of {file.name}", file.description) for file in dataset.files)
    for relation in dataset.relations:
        yield f"the description of {relation.name}", relation.description
        for name, column in relation.columns.items():
            yield f"the description of {relation.name}.{name}", column.description
            yield f"the unit of {relation.name}.{name}", column.unit


def _problems(dataset: Dataset, table: Table) -> Iterator[str]:
    files = dataset.files_of(table)
    for file in files:
        yield from _rule_problems(table, file)
    if files:
        yield from _transform_problems(table, files[0])


def _raw(file: RawFile) -> pl.LazyFrame:
    constants = dict.fromkeys(file.constants, pl.String())
    of_sessions = {POSITION_IN_SESSION: pl.Int64(), PLACE_IS_UNCERTAIN: pl.Boolean()}
    return pl.LazyFrame(schema={**file.raw_schema, **constants, RECORD: pl.Int64(), **of_sessions})


def _rule_problems(table: Table, file: RawFile) -> Iterator[str]:
    """Columns and rules that cannot be asked of a file's records, such as a check of texts on a number."""
    for name, value in typed_columns(table, file).items():
        failure = _failure(_raw(file).select(value.alias(name)))
        if failure:
            yield f"the column {name} cannot be read from {file.name}: {failure}"
            return
    typed = _raw(file).with_columns(
        value.alias(typed_name(table.name, name)) for name, value in typed_columns(table, file).items()
    )
    rules = rules_of(table, file)
    if _failure(_asked(typed, rules)):
        for rule in rules:
            failure = _failure(_asked(typed, [rule]))
            if failure:
                yield f"{rule.text}, which cannot be asked: {failure}"


def _asked(typed: pl.LazyFrame, rules: Sequence[Rule]) -> pl.LazyFrame:
    return typed.select(rule.keeps.alias(str(number)) for number, rule in enumerate(rules))


def _transform_problems(table: Table, file: RawFile) -> Iterator[str]:
    """A transform that does not give the contract's columns; helper columns that it does not read."""
    records = _raw(file).select(RECORD, **typed_columns(table, file))
    failure = _failure(records) or _failure_of(table, records)
    if failure:
        yield f"the transform fails: {failure}"
        return
    for name in table.parse:
        is_helper = name not in table.columns and name not in table.group_by and name != table.explode
        if is_helper and not _failure_of(table, records.drop(name)):
            yield f"parse= has {name}, which is no column, and the transform does not read it"


def _failure_of(table: Table, records: pl.LazyFrame) -> str | None:
    try:
        made = table.transform(records).select(list(table.columns))
    except Exception as error:
        return _words(error)
    return _failure(made)


def _failure(frame: pl.LazyFrame) -> str | None:
    try:
        frame.collect()
    except Exception as error:
        return _words(error)
    return None


def _words(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
