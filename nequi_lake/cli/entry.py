"""``nequi-lake``: the lake at the command line.

Exit codes: 0 done, 1 the run or a check failed, 2 wrong use.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from nequi_lake.cli import catalog, deliveries, draft, infra, lake, serve, warehouse
from nequi_lake.cli.show import print_error, ready
from nequi_lake.cli.stop import INTERRUPTED, STOPPED, stopped_code, was_asked
from nequi_lake.errors import NequiLakeError, UsageError

app = typer.Typer(
    help="A data lake: raw files kept as they came, contract-keeping tables, a report for each.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


for command in (
    lake.run,
    lake.tables,
    lake.sql,
    lake.quarantine,
    lake.history,
    lake.rollback,
    deliveries.deliveries,
    deliveries.withdraw,
    lake.maintain,
    lake.dictionary,
    serve.serve,
    lake.doctor,
    draft.draft,
):
    app.command()(command)
app.command("try")(draft.try_)
app.add_typer(infra.app, name="infra")
app.add_typer(catalog.app, name="catalog")
app.add_typer(warehouse.app, name="warehouse")


def main() -> None:
    """Run the command line, and end the process with its exit code."""
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        code = _run(arguments, debug)
    except NequiLakeError as error:
        print_error(str(error), debug=debug)
        code = 2 if isinstance(error, UsageError) else 1
    except typer.Exit as end:
        code = end.exit_code
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):
            print_error(f"{error.format_message()}\n  to do: nequi-lake --help", debug=False)
            code = error.exit_code
        elif fault := _storage_fault(error):
            print_error(str(fault), debug=debug)
            code = 2 if isinstance(fault, UsageError) else 1
        else:
            print_error(
                f"nequi-lake broke off: {type(error).__name__}: {error}\n  to do: see the traceback with --debug, and "
                "report it",
                debug=debug,
            )
            code = 1
    if code == INTERRUPTED:
        print_error(STOPPED, debug=False)
        code = stopped_code()
    sys.exit(code or 0)


def _run(arguments: list[str], debug: bool) -> int:
    try:
        ready()
        code: int = app(arguments, standalone_mode=False, obj=debug)
    except Exception:
        if was_asked():
            # Whatever was at work made an error of its own of the interrupt.
            raise KeyboardInterrupt from None
        raise
    return code


def _storage_fault(error: Exception) -> NequiLakeError | None:
    from nequi_lake.lake.storage.faults import translate_error

    return translate_error(error, os.environ.get("NEQUI_LAKE_URI") or "the lake")


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"nequi-lake {version('nequi_lake')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")] = False,
) -> None:
    """Taken out of the arguments by main, and here for the help."""
