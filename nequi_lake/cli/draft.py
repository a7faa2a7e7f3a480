"""The commands that make a new dataset: draft its declaration, and try it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nequi_lake.cli.complete import dataset_names
from nequi_lake.cli.show import Format, FormatOption, print_error, print_rows, say
from nequi_lake.errors import UsageError

if TYPE_CHECKING:
    from nequi_lake.datasets.spec import Dataset
    from nequi_lake.lake.settings import Settings
    from nequi_lake.sources import Source


def draft(
    name: Annotated[str, typer.Argument(help="What the dataset is to be called.")],
    paths: Annotated[list[str], typer.Argument(help="Its files, folders or zips of them, or kaggle:owner/name.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the module into this file.")] = None,
    dictionary: Annotated[
        Path | None, typer.Option(help="A CSV file or workbook of columns and what they mean, for the descriptions.")
    ] = None,
) -> None:
    """Draft the declaration of a new dataset from its files."""
    from nequi_lake.datasets.contract import name_problems
    from nequi_lake.drafting.draft import draft as drafted
    from nequi_lake.lake.export.output import check_folder, write_atomically
    from nequi_lake.lake.settings import Settings
    from nequi_lake.pipeline.draft_files import descriptions, draft_files

    problem = next(name_problems(name), None)
    if problem:
        raise UsageError(f"No dataset can have that name: {problem}.")
    if output is not None and output.exists():
        raise UsageError("The file is there already.", where=str(output), fix="Give another, or remove it first.")
    if output is not None:
        check_folder(output)
    with draft_files(name, paths, Settings.from_env()) as files:
        module = drafted(name, files.paths, descriptions(dictionary), files.slug)
    if output is None:
        sys.stdout.write(module)
        return
    with write_atomically(output) as whole:
        whole.write_text(module, encoding="utf-8")
    say(f"Wrote {output}")
    of_files = "" if files.slug else f" {paths[0]}"
    say(f"To do: NEQUI_LAKE_DATASETS={output.absolute().parent} nequi-lake try {name}{of_files}; then write each TODO")


def try_(
    name: Annotated[str, typer.Argument(help="The dataset.", autocompletion=dataset_names)],
    path: Annotated[
        Path | None, typer.Argument(help="Its folder or only file; its source by default.", show_default=False)
    ] = None,
    first: Annotated[int | None, typer.Option(min=2, help="Read only so many lines of each text file.")] = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Read a dataset's files as a run would, say what does not fit, and publish nothing."""
    from nequi_lake.lake.declared import declarations
    from nequi_lake.lake.settings import Settings
    from nequi_lake.pipeline.trial import try_dataset

    started = time.monotonic()
    settings = Settings.from_env()
    found = declarations(settings)
    if name in found.broken:
        raise found.broken[name]
    if name not in found.datasets:
        raise UsageError(f"No dataset is called {name}.", fix=f"There are {', '.join(found.datasets)}.")
    dataset = found.datasets[name]
    with _source(dataset, settings, path, first) as source:
        trial = try_dataset(dataset, source)
    if trial.broken:
        print_rows([rule._asdict() for rule in trial.broken], form)
    for check in trial.checks:
        if check.refuses:
            print_error(f"{check.subject} fails {check.name}: {check.found}\n  to do: {check.fix}", debug=False)
        elif check.warns:
            say(f"{check.subject}: {check.name} warns: {check.found}")
    for table, rows in (trial.rows or {}).items():
        say(f"{name}.{table}: {rows:,} rows")
    verdict = "A run would publish it" if trial.would_publish else "A run would publish nothing"
    say(f"{verdict}. Nothing was published, in {time.monotonic() - started:.1f} s")
    raise typer.Exit(0 if trial.would_publish else 1)


@contextmanager
def _source(dataset: Dataset, settings: Settings, path: Path | None, first: int | None) -> Iterator[Source]:
    from nequi_lake.pipeline.trial import source_at
    from nequi_lake.sources import Sources

    if path is None:
        if first is not None:
            raise UsageError("--first needs the path of the files.")
        yield Sources(settings).of(dataset)
        return
    with source_at(dataset, path, first) as source:
        yield source
