"""The commands that run and read a lake. Those that only read do not import Dagster."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nequi_lake.cli.chosen import named
from nequi_lake.cli.complete import dataset_names, table_names
from nequi_lake.cli.show import Format, FormatOption, print_batches, print_error, print_rows, say, show_log
from nequi_lake.cli.summary import print_summary, table_rows
from nequi_lake.errors import UsageError, needs_extra

if TYPE_CHECKING:
    from nequi_lake.lake.export.write import Written

DatasetsArgument = Annotated[
    list[str] | None,
    typer.Argument(help="Names of datasets; all of them by default.", autocompletion=dataset_names),
]
TableArgument = Annotated[str, typer.Argument(help="DATASET.TABLE", autocompletion=table_names)]


def run(
    context: typer.Context,
    datasets: DatasetsArgument = None,
    replace_with_sample: Annotated[
        bool, typer.Option("--replace-with-sample", help="Let the sample take the place of data from another source.")
    ] = False,
    accept_volume: Annotated[
        bool, typer.Option("--accept-volume", help="Publish though a table lost or gained more than it allows.")
    ] = False,
) -> None:
    """Fetch, keep, stage, audit, publish and profile."""
    started = time.monotonic()
    show_log(started)
    from nequi_lake import progress
    from nequi_lake.cli.ready import get_ready
    from nequi_lake.lake.declared import declarations, no_datasets
    from nequi_lake.lake.read.reader import Lake
    from nequi_lake.lake.settings import Settings
    from nequi_lake.lake.storage.faults import translate_error
    from nequi_lake.sources import Sources

    if sys.stderr.isatty():
        progress.show_on(os.fdopen(os.dup(sys.stderr.fileno()), "w"))
    settings = Settings.from_env()
    settings = replace(
        settings,
        sample_replaces=settings.sample_replaces or replace_with_sample,
        volume_accepted=settings.volume_accepted or accept_volume,
    )
    lake, sources = Lake(settings), Sources(settings)
    broken = declarations(settings).broken
    for error in broken.values():
        print_error(str(error), debug=False)
    if not lake.datasets:
        raise no_datasets(settings)
    ready = get_ready(lake, sources, named(lake, datasets or ()), by_name=bool(datasets))
    _dagster_home()

    from nequi_lake.defs.run import run_recorded
    from nequi_lake.lake.layout import REPORTS

    outcome = run_recorded(settings, ready.datasets)
    if context.obj:
        say("\n".join(outcome.traces))
    for failure in outcome.failures:
        print_error(failure, debug=False)
    try:
        print_summary(lake, ready.datasets)
    except Exception as error:
        # What the run has done does not depend on whether it can be shown.
        if (fault := translate_error(error, settings.uri)) is None:
            raise
        done = "The tables are published, and cannot be listed now."
        print_error(
            f"{done if outcome.success else 'The published tables cannot be listed now.'} {fault}",
            debug=bool(context.obj),
        )
    reports = lake.storage.path(REPORTS, "index.html")
    if lake.storage.exists(reports):
        say(f"Reports: {lake.storage.link(reports)}")
    if os.environ.get("DAGSTER_HOME"):
        say(f"In the Dagster UI (make dev): run {outcome.run_id[:8]}")
    is_done = outcome.success and not broken and ready.is_all
    verdict = "Done" if is_done else "FAILED, as said above; a dataset that failed is as it was"
    say(f"{verdict}, in {time.monotonic() - started:.1f} s")
    raise typer.Exit(0 if is_done else 1)


AsOfOption = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        help="Read older versions: a time, in UTC, for every dataset; or a release's id, for the dataset that has it.",
    ),
]


def tables(form: FormatOption = Format.TABLE, as_of: AsOfOption = None) -> None:
    """List the published tables."""
    from nequi_lake.lake.read.reader import Lake

    print_rows(table_rows(Lake.from_env(as_of=as_of).tables()), form)


OutputOption = Annotated[Path | None, typer.Option("--output", "-o", help="Write into this file, whole or not at all.")]


def sql(
    query: Annotated[str, typer.Argument(help="One SELECT in DuckDB's SQL, or in Athena's.")],
    form: FormatOption = Format.TABLE,
    athena: Annotated[bool, typer.Option("--athena", help="Run it in Athena, and say what it cost.")] = False,
    as_of: AsOfOption = None,
    output: OutputOption = None,
) -> None:
    """Query the published tables, each under its name DATASET.TABLE. --output ends in .csv, .parquet or .xlsx."""
    from nequi_lake.lake.export import write as exports
    from nequi_lake.lake.export.output import kind_of

    if athena and as_of:
        raise UsageError("--athena and --as-of do not go together.", fix="Leave one of them out.")
    if output and form is not Format.TABLE:
        raise UsageError("--output and --format do not go together.", fix="The file's ending says its format.")
    if output:
        kind_of(output, list(exports.KINDS))
    if athena:
        _ask_athena(query, form, output)
        return
    from nequi_lake.lake.read.reader import Lake

    lake = Lake.from_env(as_of=as_of)
    if output:
        with lake.batches(query) as batches:
            _say_written(exports.write(batches, output), output)
        return
    is_looked_at = form is Format.TABLE and sys.stdout.isatty()
    with lake.batches(query, rows=_BATCH_ROWS) as batches:
        exports.distinct(batches.schema.names)
        most = _ROWS_ON_SCREEN if is_looked_at else None
        if print_batches(batches.schema.names, (batch.to_pylist() for batch in batches), form, most):
            say(f"The first {_ROWS_ON_SCREEN} rows; a pipe gets all, and so does --output FILE")


_ROWS_ON_SCREEN = 40
_BATCH_ROWS = 1_000


def _ask_athena(query: str, form: Format, output: Path | None) -> None:
    from nequi_lake.lake.export import write as exports
    from nequi_lake.lake.settings import Settings

    with needs_extra("aws"):
        from nequi_lake.cloud.athena import USD_PER_TB, ask, batches
    settings = Settings.from_env()
    if output:
        with batches(query, settings) as (rows, cost):
            _say_written(exports.write(rows, output), output)
    else:
        answer, cost = ask(query, settings)
        print_rows(answer, form)
        say(f"{len(answer):,} rows")
    say(
        f"Athena: {cost.scanned_bytes:,} bytes scanned in {cost.seconds:.1f} s, {cost.usd:.6f} USD at {USD_PER_TB:g} "
        f"USD a TB (query {cost.query_id})"
    )


def _say_written(written: Written, path: Path) -> None:
    say(f"Wrote {written.rows:,} rows, {written.size_bytes:,} bytes, to {path.absolute()}")


def quarantine(
    table: TableArgument,
    form: FormatOption = Format.TABLE,
    limit: Annotated[int, typer.Option(help="Show at most this many records; 0 for all.")] = 100,
    run: Annotated[str | None, typer.Option(help="Show those of this run, whether it published or not.")] = None,
    summary: Annotated[bool, typer.Option("--summary", help="Count them by file and rule, with an example.")] = False,
) -> None:
    """Show the quarantined raw records of the release that readers see, and why they are there."""
    import polars as pl

    from nequi_lake.lake.read.reader import Lake

    lake = Lake.from_env()
    rows = lake.quarantine_scan(table, run=run).drop("record")
    total = rows.select(pl.len()).collect().item()
    if summary:
        print_rows([rule._asdict() for rule in lake.broken_rules(table, run=run)], form)
        say(f"{total:,} records; one that breaks several rules counts for each")
        return
    shown = rows.head(limit or total).drop("rules").collect()
    if form is Format.TABLE:
        # What a program looks for, and too wide for a table.
        shown = shown.drop("offset_bytes", "size_bytes", "original")
    print_rows([{**row, "raw": json.loads(row["raw"])} for row in shown.iter_rows(named=True)], form)
    if shown.height < total:
        say(f"{shown.height:,} of {total:,} records; --limit 0 shows all")
    if run is None and (other := lake.unpublished_quarantine(table)):
        say(f"{other[1]:,} records were quarantined by a run that published nothing of it: --run {other[0]}")


def history(
    table: TableArgument,
    form: FormatOption = Format.TABLE,
) -> None:
    """List the releases of a table that are kept, the newest first."""
    from nequi_lake.lake.read.reader import Lake

    releases = Lake.from_env().history(table).iter_rows(named=True)
    print_rows(
        [{**row, "committed_at": row["committed_at"].isoformat(timespec="seconds")} for row in releases],
        form,
    )


def rollback(
    dataset: Annotated[str, typer.Argument(help="Name of the dataset.", autocompletion=dataset_names)],
    release: Annotated[str, typer.Argument(help="Id of a whole release, or 6 or more characters of it.")],
) -> None:
    """Make an older release what readers see."""
    from nequi_lake.lake.catalog.rollback import roll_back
    from nequi_lake.lake.read.reader import Lake

    lake = Lake.from_env()
    (found,) = named(lake, [dataset])
    done = roll_back(found, release, lake.catalog, lake.storage)
    if done.changed:
        say(f"Readers of {dataset} see release {done.release.id} now; committed: {', '.join(done.changed)}")
        say(
            f"The next run of {dataset} publishes the release of the current raw version again: switch its schedule "
            "and sensor off for as long as that must not happen"
        )
    else:
        say(f"Release {done.release.id} is what readers of {dataset} see already; nothing was changed")
    if done.other_marts:
        say(
            f"NOT of this release, as none is kept that was made from it: {', '.join(done.other_marts)}\n"
            f"  to do: make them of it: dagster asset materialize -m nequi_lake.definitions "
            f"--select 'key:\"marts/{dataset}/*\"'"
        )
    reading = [
        f"{other.name}.{mart.name}" for other in lake.datasets.values() for mart in other.marts_that_read(dataset)
    ]
    if reading and done.changed:
        say(f"Made from another release of {dataset} until the next run of their datasets: {', '.join(reading)}")
    print_summary(lake, [dataset])


def maintain(
    datasets: DatasetsArgument = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and change nothing.")] = False,
    remove_undeclared: Annotated[
        bool, typer.Option("--remove-undeclared", help="Remove tables that are declared no longer, for good.")
    ] = False,
    remove_raw: Annotated[
        bool, typer.Option("--remove-raw", help="Remove raw versions older than 7 days that no kept release needs.")
    ] = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """Remove old releases, and the files that no kept release needs; list what nothing declares or needs."""
    from nequi_lake.lake.catalog.leftovers import RAW_VERSION, TABLE, leftovers, remove_leftover
    from nequi_lake.lake.catalog.maintenance import maintain_all
    from nequi_lake.lake.declared import declarations
    from nequi_lake.lake.read.reader import Lake

    lake = Lake.from_env()
    selected = named(lake, datasets or ())
    if not lake.storage.exists_root():
        say(f"There is no lake at {lake.settings.uri} yet: there is nothing to do")
    result = maintain_all(selected, lake.catalog, lake.storage, dry_run=dry_run)
    print_rows(
        [
            {"dataset": r.dataset, "snapshots": r.snapshots, "files": r.files, "bytes": r.size_bytes}
            for r in result.removed
        ],
        form,
    )
    options = {TABLE: ("--remove-undeclared", remove_undeclared), RAW_VERSION: ("--remove-raw", remove_raw)}
    for left in leftovers(lake.datasets, declarations(lake.settings).broken, lake.catalog, lake.storage):
        option, is_asked = options[left.kind]
        if datasets and left.dataset not in datasets:
            continue
        if is_asked and not dry_run:
            remove_leftover(left, lake.catalog, lake.storage)
        verdict = "would be removed" if is_asked and dry_run else "removed" if is_asked else f"{option} removes it"
        say(f"{left}, {left.size_bytes:,} bytes: {verdict}")
    if dry_run:
        say("This would go; nothing was changed")
    result.raise_if_failed()


def dictionary(output: OutputOption = None) -> None:
    """Say what every dataset, table and column is: Markdown, or a page where --output ends in .html."""
    from nequi_lake.lake.declared import discover
    from nequi_lake.lake.export.output import kind_of, write_atomically
    from nequi_lake.lake.settings import Settings
    from nequi_lake.profiling.dictionary import dictionary_markdown, dictionary_page

    datasets = discover(Settings.from_env()).values()
    if output is None:
        typer.echo(dictionary_markdown(datasets), nl=False)
        return
    as_page = kind_of(output, (".md", ".html")) == ".html"
    with write_atomically(output) as draft:
        draft.write_bytes(dictionary_page(datasets) if as_page else dictionary_markdown(datasets).encode())
    say(f"Wrote {output}")


def doctor(form: FormatOption = Format.TABLE) -> None:
    """Ask whether the lake can run here."""
    from nequi_lake.cli.doctor import examine
    from nequi_lake.lake.read.reader import Lake
    from nequi_lake.lake.settings import Settings
    from nequi_lake.sources import Sources

    settings = Settings.from_env()
    checks = examine(Lake(settings), Sources(settings))
    print_rows(
        [
            {"check": c.name, "passed": c.passed, "found": c.found, "where": c.subject, "to do": c.fix or None}
            for c in checks
        ],
        form,
    )
    if not all(check.passed for check in checks):
        raise typer.Exit(1)


def _dagster_home() -> None:
    """Record runs in the project's Dagster folder where there is one, so that ``make dev`` shows them."""
    project_home = Path.cwd() / ".dagster"
    if "DAGSTER_HOME" not in os.environ and (project_home / "dagster.yaml").exists():
        os.environ["DAGSTER_HOME"] = str(project_home)
