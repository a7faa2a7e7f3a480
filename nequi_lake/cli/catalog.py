"""``nequi-lake catalog``: the catalog itself."""

from __future__ import annotations

from typing import Annotated

import typer

from nequi_lake.cli.show import Format, FormatOption, print_rows, say
from nequi_lake.errors import UsageError

app = typer.Typer(help="Make the catalog anew.", no_args_is_help=True)


@app.command()
def rebuild(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")] = False,
    moved: Annotated[
        bool, typer.Option("--moved", help="The lake was copied or moved here: write its metadata anew.")
    ] = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """Register in the catalog what the lake committed and the catalog lost. What is right stays."""
    from nequi_lake.lake.catalog.rebuild import State, rebuild
    from nequi_lake.lake.layout import read_identity
    from nequi_lake.lake.read.reader import Lake

    lake = Lake.from_env()
    if not lake.storage.exists_root() or read_identity(lake.storage) is None:
        raise UsageError(
            "There is no lake whose catalog could be made anew.",
            where=lake.settings.uri,
            fix="Is NEQUI_LAKE_URI the lake that you mean?",
        )
    found = [
        one
        for dataset in lake.datasets.values()
        for one in rebuild(dataset, lake.catalog, lake.storage, moved=moved, dry_run=dry_run)
    ]
    print_rows(
        [
            {"table": one.name, "catalog": one.state.value, "releases": one.releases, "metadata": one.metadata}
            for one in found
        ],
        form,
    )
    count = sum(one.state is not State.RIGHT for one in found)
    say(f"{count} tables {'would be' if dry_run else 'were'} registered; {len(found) - count} were right")
