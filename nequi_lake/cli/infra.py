"""The commands for the lake's infrastructure on AWS, which `aws cloudformation deploy` makes."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from nequi_lake.cli.show import Format, FormatOption, print_rows, say
from nequi_lake.errors import UsageError, needs_extra

app = typer.Typer(help="The lake's infrastructure on AWS: templates, and checks.", no_args_is_help=True)

STACK = "nequi-lake"


class Part(StrEnum):
    """What a template is of."""

    LAKE = "lake"
    SERVICE = "service"


@app.command()
def template(
    part: Annotated[Part, typer.Argument(help="The lake itself, or Dagster as a service.")] = Part.LAKE,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it to a file.")] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="A dataset whose database exists outside of the stack.")
    ] = None,
) -> None:
    """Print the CloudFormation template, with the declared datasets, for ``aws cloudformation deploy``."""
    with needs_extra("aws"):
        from nequi_lake.cloud.template import MAX_TEMPLATE_BYTES, render, template_path
    from nequi_lake.lake.declared import discover
    from nequi_lake.lake.export.output import check_folder, write_atomically
    from nequi_lake.lake.settings import Settings

    if without and part is not Part.LAKE:
        raise UsageError(
            f"The template of the {part.value} has no databases.", where="--without", fix="Leave the option out."
        )
    path = template_path(part.value)
    if part is Part.LAKE:
        text = render(path, discover(Settings.from_env()).values(), without or ())
    else:
        text = path.read_text(encoding="utf-8")
    if output is None:
        typer.echo(text)
    else:
        check_folder(output)
        with write_atomically(output) as draft:
            draft.write_text(text, encoding="utf-8")
        say(f"Wrote {output}")
    if len(text.encode()) > MAX_TEMPLATE_BYTES:
        say(f"It is larger than {MAX_TEMPLATE_BYTES:,} bytes: deploy it with --s3-bucket")


@app.command()
def check(
    stack: Annotated[str, typer.Option("--stack", help="Name of the stack.")] = STACK, form: FormatOption = Format.TABLE
) -> None:
    """Check credentials, stack, bucket and databases of a deployment. Changes nothing; exit code 1 if a check fails."""
    with needs_extra("aws"):
        from nequi_lake.cloud.deployment import check_deployment
    from nequi_lake.lake.declared import discover
    from nequi_lake.lake.settings import Settings

    settings = Settings.from_env()
    checks = check_deployment(settings.uri, discover(settings), stack)
    print_rows(
        [
            {
                "check": check.name,
                "result": "passed" if check.passed else "warning" if check.warns else "failed",
                "found": check.found,
                "where": check.subject,
                "to do": check.fix or None,
            }
            for check in checks
        ],
        form,
    )
    if any(check.refuses for check in checks):
        raise typer.Exit(1)
