"""The commands. Each module holds a few; what is slow to import is imported when a command runs."""

from __future__ import annotations

import click

from .. import __version__
from .ask import errors, status
from .keys import keys
from .offline import check, infer
from .replay import replay
from .run import run
from .send import push
from .setup import init, trust

__all__ = ["cli"]

_EPILOG = """\b
Start here:
  hub-connector infer exports/attendance.csv --out attendance.yaml
  hub-connector check --contract attendance.yaml exports/attendance.csv
  hub-connector init --hub https://hub.example.gov.uk --code CODE
  hub-connector push --contract attendance.yaml exports/attendance.csv --wait
  hub-connector errors last --rows mend.csv     # then mend them, and: hub-connector replay last mend.csv

\b
Exit status:
  0  done; for check: every row keeps the contract
  1  done, and some rows are at fault
  2  cannot be read or used at all (file, contract, configuration, command line)
  3  the hub cannot be reached; nothing is lost, run the same command again
  4  held back here, or refused by the hub

\b
Environment:
  HUB_CONNECTOR_CONFIG          the configuration, as --config
  HUB_CONNECTOR_CODE            the enrolment code, as init --code
  HUB_CONNECTOR_KEY_PASSPHRASE  opens the private key, where it has a passphrase
  HUB_CONNECTOR_TRIES           how often a request is tried before giving up (6)
  HUB_CONNECTOR_DEBUG           set to 1 to see where an unforeseen error comes from

\b
Shell completion:
  bash  eval "$(_HUB_CONNECTOR_COMPLETE=bash_source hub-connector)"
  zsh   eval "$(_HUB_CONNECTOR_COMPLETE=zsh_source hub-connector)"
  fish  _HUB_CONNECTOR_COMPLETE=fish_source hub-connector | source
"""


@click.group(
    epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="hub-connector", message="%(prog)s %(version)s")
def cli() -> None:
    """Check a department's datasets against their contracts, seal them, and push them to a JoinedUp Hub."""


for command in (init, infer, check, push, run, status, errors, replay, trust, keys):
    cli.add_command(command)
