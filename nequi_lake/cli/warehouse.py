"""``nequi-lake warehouse``: releases in a database."""

from __future__ import annotations

from typing import Annotated

import typer

from nequi_lake.cli.chosen import named
from nequi_lake.cli.complete import dataset_names
from nequi_lake.cli.show import Format, FormatOption, print_rows, say

app = typer.Typer(help="Load releases into the database of NEQUI_LAKE_WAREHOUSE.", no_args_is_help=True)
Datasets = Annotated[
    list[str] | None,
    typer.Argument(help="Datasets; all that are published by default.", autocompletion=dataset_names),
]


@app.command()
def load(
    datasets: Datasets = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Make tables of another shape anew, and drop the views on them.")
    ] = False,
    take_over: Annotated[bool, typer.Option("--take-over", help="Replace what was loaded from another lake.")] = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """Load the newest whole release of each dataset, in one transaction; one that is there is not loaded again."""
    from nequi_lake.lake.read.reader import Lake
    from nequi_lake.warehouse.load import load as load_release

    lake = Lake.from_env()
    chosen = named(lake, datasets or [])
    found = [
        one
        for dataset in chosen
        if datasets or lake.published(dataset)
        for one in load_release(lake, dataset, rebuild=rebuild, take_over=take_over)
    ]
    print_rows(
        [{"table": one.name, "release": one.release, "rows": one.rows, "changed": one.changed} for one in found], form
    )
    say(f"{len(found)} tables; {sum(one.changed for one in found):,} rows were changed")


@app.command()
def status(datasets: Datasets = None, form: FormatOption = Format.TABLE) -> None:
    """Say which release of each dataset the warehouse holds, beside the lake's."""
    from nequi_lake.lake.read.reader import Lake
    from nequi_lake.warehouse.status import status as compare

    lake = Lake.from_env()
    chosen = named(lake, datasets or [])
    print_rows(
        [
            {
                "dataset": one.dataset,
                "group": one.group,
                "lake": one.release,
                "warehouse": one.loaded,
                "current": one.is_current,
                "rows": one.rows,
                "loaded_at": one.loaded_at.isoformat(timespec="seconds") if one.loaded_at else "",
            }
            for one in compare(lake, chosen)
        ],
        form,
    )


@app.command()
def ddl(datasets: Datasets = None) -> None:
    """Print the statements that make a dataset's tables, from its contracts. Needs no warehouse."""
    from nequi_lake.lake.read.reader import Lake
    from nequi_lake.warehouse.ddl import script

    lake = Lake.from_env()
    chosen = named(lake, datasets or [])
    for dataset in chosen:
        typer.echo(script(dataset, lake.settings.warehouse_reader), nl=False)


@app.command()
def dbt(datasets: Datasets = None) -> None:
    """Print the sources.yml of dbt, with descriptions and tests from the contracts. Needs no warehouse."""
    from nequi_lake.lake.read.reader import Lake
    from nequi_lake.warehouse.dbt import sources

    typer.echo(sources(named(Lake.from_env(), datasets or [])), nl=False)
