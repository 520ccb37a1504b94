"""hub audit."""

from __future__ import annotations

import gzip
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import click

from hub.cli.base import dir_option, hub_of, operator

if TYPE_CHECKING:
    from hub.audit.verify import Verification

__all__ = ["audit"]


@click.group()
def audit() -> None:
    """The audit log: verify it, take it elsewhere, publish its checkpoints."""


@audit.command(
    "verify",
    epilog="Examples:\n\n  hub audit verify --checkpoint published.txt\n\n"
    "  hub audit verify --export log.jsonl --key key.txt --checkpoint published.txt",
)
@click.option(
    "--checkpoint", "files", type=click.File("r", encoding="utf-8"), multiple=True, metavar="FILE",
    help="A checkpoint that was published outside the hub; may be given several times.",
)  # fmt: skip
@click.option(
    "--export", "exported", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help="Verify this export of a log, with no hub at all.",
)  # fmt: skip
@click.option(
    "--key", "keys", multiple=True, metavar="KEY|FILE",
    help="With --export: a key of the log that you know, or a file of such keys (hub audit key prints them).",
)  # fmt: skip
@dir_option
@click.pass_context
def verify(
    ctx: click.Context,
    files: tuple[click.utils.LazyFile, ...],
    exported: Path | None,
    keys: tuple[str, ...],
    directory: str,
) -> None:
    """Recompute the whole log and compare it with its signed checkpoints; exit status 1 if anything is bent.

    Each published checkpoint is compared too: the log must begin with what it covers.
    """
    notes = [file.read() for file in files]
    if exported is not None:
        found = _verify_export(exported, keys, notes)
    else:
        if keys:
            raise click.UsageError("--key goes with --export; a hub knows its own keys.")
        from hub.workflows import auditing

        found = auditing.verify(hub_of(ctx, directory), notes, _progress("entries verified"))
    click.echo(f"{found.entries:,} entries, {found.sealed:,} sealed under {found.checkpoints:,} checkpoints.")
    for problem in found.problems:
        click.echo(f"BENT: {problem}", err=True)
    if found.more:
        click.echo(f"BENT: and {found.more:,} more.", err=True)
    if not found.ok:
        ctx.exit(1)
    if notes:
        click.echo(f"It begins with what {_many(len(notes), 'published checkpoint')} covered.")
    elif exported is not None:
        click.echo("Without --checkpoint nobody can tell whether the end of the log was left out.", err=True)
    click.echo("Everything holds.")


def _verify_export(path: Path, keys: tuple[str, ...], notes: list[str]) -> Verification:
    from hub.audit.export import ExportError, verify_export
    from hub.errors import Invalid

    known = [line for key in keys for line in _key_lines(key)]
    try:
        with _reading(path) as stream:
            return verify_export(stream, known, notes, _progress("entries verified"))
    except ExportError as error:
        raise Invalid(f"{path} cannot be verified: {error}.") from None
    except (OSError, EOFError) as error:
        raise Invalid(f"{path} cannot be read to its end ({type(error).__name__}).") from None


def _key_lines(given: str) -> list[str]:
    """A key as it is, or the keys in a file, a line each."""
    from hub.errors import Invalid

    path = Path(given)
    try:
        text = path.read_text(encoding="utf-8") if path.is_file() else given
    except OSError as error:
        raise Invalid(f"The key file {path} cannot be read ({type(error).__name__}).") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


@audit.command("seal", epilog="Example:\n\n  hub audit seal > published.txt")
@dir_option
@click.pass_context
def seal(ctx: click.Context, directory: str) -> None:
    """Seal what was written since the last checkpoint (the worker does it by itself), and print the checkpoint."""
    from hub.workflows import auditing

    hub = hub_of(ctx, directory)
    auditing.seal_log(hub)
    click.echo(auditing.checkpoint(hub, operator("auditor")), nl=False)


@audit.command(
    "checkpoint", epilog="Examples:\n\n  hub audit checkpoint\n\n  hub audit checkpoint published.txt"
)
@click.argument(
    "file", required=False, type=click.Path(dir_okay=False, writable=True, path_type=Path), metavar="[FILE]"
)
@dir_option
@click.pass_context
def checkpoint(ctx: click.Context, file: Path | None, directory: str) -> None:
    """Print the newest signed checkpoint, or write it to a file."""
    from hub.errors import Unavailable
    from hub.workflows import auditing

    found = auditing.checkpoint(hub_of(ctx, directory), operator("auditor"))
    if file is None:
        click.echo(found, nl=False)
    else:
        try:
            file.write_text(found, encoding="utf-8")
        except OSError as error:
            raise Unavailable(
                f"{file} cannot be written: {error.strerror or type(error).__name__}."
            ) from None
        click.echo(f"The checkpoint is in {file}. Keep it outside the hub.", err=True)


@audit.command("key", epilog="Example:\n\n  hub audit key > key.txt")
@dir_option
@click.pass_context
def key(ctx: click.Context, directory: str) -> None:
    """Print the public keys that signed this log, oldest first, a line each (C2SP verifier keys)."""
    from hub.workflows import auditing

    for line in auditing.verifier_keys(hub_of(ctx, directory), operator("auditor")):
        click.echo(line)


@audit.command("publish", epilog="Example:\n\n  hub audit publish /mnt/elsewhere/checkpoints")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER")
@dir_option
@click.pass_context
def publish(ctx: click.Context, folder: Path, directory: str) -> None:
    """Seal the log and write its checkpoint into a folder outside the hub: the newest, and the day's.

    A checkpoint that lies there already is compared first. One that the log contradicts is never written over. The
    worker does the same after each sealing when the setting audit_publish names the folder.
    """
    from hub.workflows import auditing

    file = auditing.publish(hub_of(ctx, directory), operator("auditor"), folder)
    click.echo(f"The checkpoint is in {file}.")


@audit.command(
    "export", epilog="Examples:\n\n  hub audit export log.jsonl\n\n  hub audit export log.jsonl.gz"
)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE")
@dir_option
@click.pass_context
def export(ctx: click.Context, file: Path, directory: str) -> None:
    """Write the whole log to a file that can be verified with no hub (hub audit verify --export FILE).

    Reasons stay sealed in it, and people are keyed references. FILE ending in .gz is packed.
    """
    from hub.errors import Conflict, Unavailable
    from hub.workflows import auditing

    if file.exists():
        raise Conflict(f"{file} is there already; name a new file.")
    hub = hub_of(ctx, directory)
    lines = auditing.export(hub, operator("auditor"), _progress("entries written"))
    try:
        with _writing(file) as stream:
            for line in lines:
                stream.write(line)
    except OSError as error:
        raise Unavailable(f"{file} cannot be written: {error.strerror or type(error).__name__}.") from None
    click.echo(
        f"The log is in {file}. Verify it elsewhere: hub audit verify --export {file.name} --key key.txt"
    )


@contextmanager
def _reading(path: Path) -> Iterator[BinaryIO]:
    with path.open("rb") as raw:
        if path.suffix == ".gz":
            with gzip.open(raw) as packed:
                yield cast("BinaryIO", packed)
        else:
            yield raw


@contextmanager
def _writing(path: Path) -> Iterator[BinaryIO]:
    """A new file that appears when it is whole, for its owner only; packed if its name says so."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as raw:
            if path.suffix == ".gz":
                with gzip.open(raw, "wb", compresslevel=3) as packed:
                    yield cast("BinaryIO", packed)
            else:
                yield raw
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _progress(what: str) -> Callable[[int, int], None]:
    """A line on a terminal's stderr that says how far it is; nothing elsewhere."""
    shown = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal shown
        if not sys.stderr.isatty() or (time.monotonic() - shown < 0.5 and done < total):
            return
        shown = time.monotonic()
        click.echo(f"\r{done:,} of {total:,} {what}", err=True, nl=done >= total)

    return tell


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
