"""The command `hub`: the command line with the composition root put behind it."""

from __future__ import annotations

from typing import Any

import click

from hub.cli.base import Composition, LazyGroup

_COMMANDS = {
    "demo": ("hub.demo.command:demo", "A whole borough in a minute: publish, link, run, look."),
    "init": ("hub.cli.running:init", "Make a hub in a folder."),
    "serve": ("hub.cli.running:serve", "Serve the API and the pages."),
    "worker": ("hub.cli.running:worker", "Work off deliveries, links and runs."),
    "scheduler": ("hub.cli.running:scheduler", "Keep the schedules (as worker)."),
    "doctor": ("hub.cli.running:doctor", "Look whether everything is there."),
    "orgs": ("hub.cli.registry:orgs", "Organisations."),
    "users": ("hub.cli.users:users", "People and their accounts."),
    "clients": ("hub.cli.registry:clients", "Connectors and other machine clients."),
    "contracts": ("hub.cli.contracts:contracts", "Contracts: the library, what is published, and changes."),
    "datasets": ("hub.cli.catalogue:datasets", "Datasets: find, show, hide, export the catalogue."),
    "link": ("hub.cli.data:link", "Link people and households now."),
    "geography": ("hub.cli.data:geography", "Where postcodes lie, for agreements that give areas."),
    "agreements": ("hub.cli.agreements:agreements", "Data sharing agreements."),
    "requests": ("hub.cli.requests:requests", "Requests for data."),
    "plugins": ("hub.cli.analysis:plugins", "Analytics plugins."),
    "runs": ("hub.cli.analysis:runs", "Runs of plugins."),
    "releases": ("hub.cli.analysis:releases", "Results and their release."),
    "keys": ("hub.cli.keys:keys", "Keys: list, rotate, shred."),
    "backup": ("hub.cli.keys:backup", "Copy database and files while the hub serves."),
    "restore": ("hub.cli.keys:restore", "Bring a backup back and check it."),
    "rights": ("hub.cli.rights:rights", "What people ask about their own data."),
    "audit": ("hub.cli.audit:audit", "The audit log: verify, export, publish checkpoints."),
}


def _load_settings(*args: Any, **kwargs: Any) -> Any:
    from hub.config import load_settings
    from hub.logs import configure_logs

    settings = load_settings(*args, **kwargs)
    configure_logs(settings.log_level, settings.log_format)
    return settings


def _init_hub(settings: Any) -> Any:
    from hub.app import init_hub

    return init_hub(settings)


def _open_hub(settings: Any) -> Any:
    from hub.app import open_hub

    return open_hub(settings)


def _serve(settings: Any, **options: Any) -> None:
    from hub.app import serve

    serve(settings, **options)


def _work(settings: Any) -> None:
    from hub.app import work

    work(settings)


def _restore_hub(settings: Any, *args: Any, **options: Any) -> Any:
    from hub.app import restore_hub

    return restore_hub(settings, *args, **options)


@click.group(
    cls=LazyGroup,
    lazy=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start here:  hub demo     Help on a command:  hub COMMAND --help\n\n"
    'Shell completion:  eval "$(_HUB_COMPLETE=bash_source hub)"  (or zsh_source, fish_source)',
)
@click.version_option(package_name="joinedup-hub", prog_name="hub")
@click.pass_context
def main(ctx: click.Context) -> None:
    """A hub through which public bodies share data safely and turn it into help for citizens."""
    ctx.obj = Composition(_load_settings, _init_hub, _open_hub, _serve, _work, _restore_hub)


if __name__ == "__main__":
    main()
