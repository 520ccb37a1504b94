"""hub demo: a whole borough in a minute."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli.base import Composition
from hub.errors import ConfigurationError

if TYPE_CHECKING:
    from hub.config import Settings

__all__ = ["demo"]

_MARK = "demonstration.json"
_PORTS = range(8600, 8650)


@click.command(
    epilog="Examples:\n\n  hub demo\n\n  hub demo --people 100000 --no-serve\n\n  hub demo --with-data ../shared/data"
)
@click.option(
    "--dir", "directory", default="var/demo", show_default=True, metavar="FOLDER", type=click.Path(path_type=Path),
    help="Where the demonstration's hub is made; one that is there from an earlier demonstration is replaced.",
)  # fmt: skip
@click.option(
    "--people", default=20_000, show_default=True, type=click.IntRange(100, 10_000_000), metavar="NUMBER",
    help="How many people the borough has.",
)  # fmt: skip
@click.option(
    "--seed", default=2026, show_default=True, type=click.IntRange(0), help="Another seed, another borough."
)
@click.option(
    "--with-data", "data", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="FOLDER",
    help="Also publish the real police files in this folder (police/*.csv).",
)  # fmt: skip
@click.option("--port", type=int, help="Port to listen on; default is the first free one from 8600.")
@click.option("--serve/--no-serve", default=True, show_default=True, help="Keep serving until Ctrl-C.")
@click.pass_context
def demo(
    ctx: click.Context,
    directory: Path,
    people: int,
    seed: int,
    data: Path | None,
    port: int | None,
    serve: bool,
) -> None:
    """A whole borough in a minute: six departments publish, people are linked, plugins run, you look.

    Everybody in it is invented. The hub it makes is a real one: encryption, validation, linkage, sandbox, agreements
    and audit log do their true work.
    """
    from hub.app import create_app
    from hub.demo.story import Story
    from hub.demo.summary import summary
    from hub.doorstep.serving import Server
    from hub.scheduler.leader import Leader

    composition: Composition = ctx.find_root().obj
    directory = directory.absolute()
    departments = directory.with_name(f"{directory.name}-departments")
    for folder in (directory, departments):
        _clear(folder)
    settings = composition.load_settings(
        directory, port=port or _free_port(), name="JoinedUp Hub (demonstration)", synthetic=True,
        log_level="warning", host="127.0.0.1", require_second_factor="", **_CATALOGUE,
    )  # fmt: skip
    click.echo(
        f"A hub for the Borough of Wexbourne (synthetic: everybody in it is invented), in {_short(directory)}"
    )
    hub = composition.init_hub(settings)
    _mark(directory)
    _keep_settings(directory, settings)
    server, leader = Server(create_app(settings, hub), settings), Leader(hub)
    server.start()
    leader.start()
    try:
        departments.mkdir(parents=True)
        _mark(departments)
        told = Story(hub, server.url, departments, click.echo).tell(people, seed, data)
        click.echo(summary(told, directory))
        if serve:
            click.echo(
                f"Serving on {server.url} until Ctrl-C. Start it again later: hub serve --dir {_short(directory)}"
            )
            _wait_for_end()
    finally:
        server.stop()
        leader.stop()
        hub.database.close()


def _clear(folder: Path) -> None:
    """Remove what an earlier demonstration left; refuse to touch anything else."""
    if not folder.exists():
        return
    if not (folder / _MARK).is_file() and any(folder.iterdir()):
        raise ConfigurationError(f"{folder} is not from a demonstration; choose another folder with --dir.")
    running = _running(folder)
    if running:
        raise ConfigurationError(
            f"A demonstration is still being served from {folder} at {running}. End it with Ctrl-C there, or choose "
            "another folder with --dir."
        )
    shutil.rmtree(folder)


def _running(folder: Path) -> str:
    """The URL under which the demonstration in a folder is served right now, or nothing."""
    try:
        port = int(json.loads((folder / _MARK).read_text()).get("port") or 0)
    except (OSError, ValueError):
        return ""
    if not port:
        return ""
    import httpx

    try:
        name = (
            httpx.get(f"http://127.0.0.1:{port}/api/v1/hub", timeout=2, trust_env=False)
            .json()
            .get("name", "")
        )
    except (httpx.HTTPError, ValueError):
        return ""
    return f"http://127.0.0.1:{port}" if "demonstration" in name else ""


#: Whom the demonstration's catalogue names where a department says nothing: an invented address, and the ministry that
#: answers for local government, because no council is on the UK model's list.
_CATALOGUE = {
    "catalogue_contact": "data@wexbourne.invalid",
    "catalogue_publisher": "department-for-levelling-up-housing-and-communities",
}


def _mark(folder: Path, port: int | None = None) -> None:
    (folder / _MARK).write_text(
        json.dumps({"what": "made by hub demo; replaced by the next one", "port": port})
    )


def _keep_settings(directory: Path, settings: Settings) -> None:
    """Write what the demonstration chose into hub.toml, so that `hub serve` starts the same hub again."""
    _mark(directory, settings.port)
    chosen: dict[str, Any] = {
        "name": settings.name,
        "port": settings.port,
        "require_second_factor": "",
    } | _CATALOGUE
    lines = [f"{name} = {json.dumps(value)}" for name, value in chosen.items()] + ["synthetic = true", ""]
    path = directory / "hub.toml"
    path.write_text("\n".join(lines) + path.read_text(encoding="utf-8"), encoding="utf-8")


def _free_port() -> int:
    for port in _PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ConfigurationError(
        f"No port from {_PORTS.start} to {_PORTS.stop - 1} is free; give one with --port."
    )


def _short(path: Path) -> str:
    try:
        return f"./{path.relative_to(Path.cwd())}"
    except ValueError:
        return str(path)


def _wait_for_end() -> None:
    import signal
    import threading

    end = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: end.set())
    end.wait()
