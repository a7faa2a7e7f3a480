"""``nequi-lake deliveries`` and ``withdraw``: of datasets that arrive in increments."""

from __future__ import annotations

from typing import Annotated

import typer

from nequi_lake.cli.chosen import named
from nequi_lake.cli.complete import dataset_names
from nequi_lake.cli.lake import run
from nequi_lake.cli.show import Format, FormatOption, print_rows, say
from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import UsageError

DatasetArgument = Annotated[str, typer.Argument(help="Name of the dataset.", autocompletion=dataset_names)]


def deliveries(dataset: DatasetArgument, form: FormatOption = Format.TABLE) -> None:
    """List the deliveries of a dataset that arrives in increments, withdrawn ones too."""
    from nequi_lake.lake.deliveries import deliveries as find
    from nequi_lake.lake.read.reader import Lake

    lake = Lake.from_env()
    (found,) = named(lake, [dataset])
    _require_increments(found)
    print_rows(
        [
            {
                "delivery": one.number,
                "delivered_at": one.delivered_at,
                "files": ", ".join(one.files),
                "records": one.records,
                "bytes": one.size_bytes,
                "withdrawn": one.is_withdrawn,
            }
            for one in find(found, lake.storage)
        ],
        form,
    )


def withdraw(
    context: typer.Context,
    dataset: DatasetArgument,
    delivery: Annotated[int, typer.Argument(help="Its number, as `nequi-lake deliveries` has it.")],
) -> None:
    """Make a release without a delivery; later ones stay in."""
    from nequi_lake.lake.deliveries import withdraw as take_out
    from nequi_lake.lake.read.reader import Lake

    lake = Lake.from_env()
    (found,) = named(lake, [dataset])
    _require_increments(found)
    take_out(found, delivery, lake.storage)
    say(f"Delivery {delivery} of {dataset} is withdrawn; its bytes stay in the raw zone. Publishing without it:")
    run(context, [dataset])


def _require_increments(dataset: Dataset) -> None:
    if dataset.arrives != "increments":
        raise UsageError(
            f"{dataset.name} arrives as snapshots: each delivery is all of it.",
            where=dataset.name,
            fix="To go back to an older one: nequi-lake rollback. One that adds to what is there declares "
            'arrives="increments".',
        )
