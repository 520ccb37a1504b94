"""The command `hub-connector`: turns errors into words and exit statuses (see `errors`), never into tracebacks."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from .errors import EXIT_CLEAN, EXIT_UNUSABLE, ConnectorError

__all__ = ["main"]

_DEBUG: str = "HUB_CONNECTOR_DEBUG"
_INTERRUPTED = 130
_BUG = 70


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    from .cli import cli

    try:
        result = cli.main(args=arguments, prog_name="hub-connector", standalone_mode=False)
        return result if isinstance(result, int) else EXIT_CLEAN
    except ConnectorError as error:
        click.echo(f"error: {error.message}", err=True)
        if error.hint:
            click.echo(f"       {error.hint}", err=True)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return EXIT_UNUSABLE
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nStopped. Nothing is lost: the same command goes on where it was.", err=True)
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone (as `| head` does); keep Python from complaining at exit.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  lives until exit
        return EXIT_CLEAN
    except Exception as error:
        if os.environ.get(_DEBUG):
            raise
        # The text of an unforeseen error may hold a value; its kind does not.
        click.echo(
            f"error: something unforeseen went wrong ({type(error).__name__}). This is a fault of hub-connector.\n"
            f"       Set {_DEBUG}=1 and run it again to see where; that output may show values of your data.",
            err=True,
        )
        return _BUG


if __name__ == "__main__":
    sys.exit(main())
