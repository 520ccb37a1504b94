"""hub keys, backup, restore."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from hub.cli.base import (
    Composition,
    as_options,
    dir_option,
    format_option,
    hub_of,
    operator,
    person,
    print_table,
)  # fmt: skip

__all__ = ["backup", "keys", "restore"]

_KINDS = ("file", "passphrase", "pkcs11", "vault", "aws")


@click.group()
def keys() -> None:
    """The hub's keys: look at them, rotate them, destroy them with what they open."""


@keys.command("list", epilog="Example:\n\n  hub keys list")
@dir_option
@format_option
@click.pass_context
def list_keys(ctx: click.Context, directory: str, form: str) -> None:
    """List the keys by name and end; the keys themselves are never shown."""
    from hub.workflows.keeping import keys_state

    hub = hub_of(ctx, directory)
    state, held = keys_state(hub), hub.keyring.secrets
    rows = [("root", state.root, f"{state.kind}: {state.place}", None)]
    rows += [
        ("root (to go)", name, "a rotation was broken off", None) for name in held.roots if name != state.root
    ]
    rows += [
        ("sealing", name, "current" if name == held.current_sealing else "earlier", pair.until)
        for name, pair in held.sealing.items()
    ]
    rows += [
        ("tokens", "", "current" if item.until is None else "earlier", item.until) for item in held.token_keys
    ]
    rows.append(("audit log", held.origin, f"{len(held.past_checkpoint_keys)} earlier keys", None))
    print_table(form, ["key", "name", "where", "until"], rows)
    for problem in state.problems:
        click.echo(problem, err=True)


@keys.command(
    epilog="Examples:\n\n  hub keys rotate\n\n  hub keys rotate --keys vault      (moves the root key into Vault)\n\n"
    "  hub keys rotate --sealing --overlap-days 60"
)
@click.option("--keys", "kind", type=click.Choice(_KINDS), help="Make the new root key there.")
@click.option("--sealing", is_flag=True, help="Make a new key that deliveries are sealed to.")
@click.option(
    "--signing", is_flag=True, help="Make new keys for access tokens and the audit log's checkpoints."
)
@click.option(
    "--overlap-days", type=click.IntRange(0, 3650), metavar="NUMBER",
    help="How long the old sealing key still opens deliveries (setting key_overlap_days); 0 if it was stolen.",
)  # fmt: skip
@dir_option
@click.pass_context
def rotate(
    ctx: click.Context,
    kind: str | None,
    sealing: bool,
    signing: bool,
    overlap_days: int | None,
    directory: str,
) -> None:
    """Change the root key (or, when asked, the sealing or signing keys) while the hub serves.

    The root key: every owner's key is wrapped anew, no data is touched, and at the end the old root key is destroyed.
    Broken off anywhere, the same command goes on. Backups made before need a copy of the keyring from before.
    """
    from datetime import timedelta

    from hub.workflows import keeping

    hub = hub_of(ctx, directory)
    if sealing:
        days = hub.settings.key_overlap_days if overlap_days is None else overlap_days
        name, until = keeping.rotate_sealing(hub, operator(), timedelta(days=days))
        click.echo(
            f"The new sealing key is {name}; the old one opens deliveries until {until:%Y-%m-%d %H:%M} UTC."
        )
        click.echo(
            f"Its fingerprint, for those who run hub-connector trust: {hub.keyring.sealing_fingerprint}"
        )
    if signing:
        overlap = timedelta(0) if overlap_days == 0 else timedelta(minutes=2 * hub.settings.token_minutes)
        keeping.rotate_signing(hub, operator(), overlap)
        click.echo(
            "Access tokens and checkpoints are signed with new keys; the log's old checkpoints stay verifiable."
        )
    if sealing or signing:
        if kind:
            raise click.UsageError("--keys is about the root key: rotate it by itself.")
        return
    passphrase = None
    if kind is not None:
        passphrase = _new_passphrase() if kind == "passphrase" else ""
    done = keeping.rotate_root(
        hub, operator(), kind=kind or "", passphrase=passphrase, progress=_progress("keys wrapped anew")
    )
    click.echo(f"{done.keys:,} keys are under the new root key {done.root} ({done.seconds:.1f} seconds).")
    for sentence in done.said:
        click.echo(f"The old root key: {sentence}")
    click.echo(
        "Make a backup and a copy of the keyring now: earlier backups open only with the keyring from before."
    )
    if kind == "passphrase":
        click.echo(
            "Give the passphrase in HUB_KEY_PASSPHRASE from now on, and restart every process of this hub."
        )


def _new_passphrase() -> str:
    import os

    given = os.environ.get("HUB_NEW_KEY_PASSPHRASE", "")
    return given or str(
        click.prompt("New passphrase of the keyring", hide_input=True, confirmation_prompt=True, err=True)
    )


@keys.command(
    epilog="Examples:\n\n  hub keys shred ver_01kb... --dry-run\n\n"
    '  hub keys shred ver_01kb... --as anna --second theo --reason "Sent by mistake, request 2041"\n\n'
    "  hub keys shred dat_01kb... --older-than 365 --dry-run"
)
@click.argument("target")
@click.option(
    "--older-than",
    type=click.IntRange(0, 36525),
    metavar="DAYS",
    help="Of a dataset: versions older than this.",
)
@click.option("--dry-run", is_flag=True, help="Only list what would go.")
@click.option("--second", metavar="USERNAME", help="Who else agrees; asked for if not given.")
@click.option(
    "--second-password",
    envvar="HUB_SECOND_PASSWORD",
    metavar="WORD",
    help="Better typed when asked, by that person.",
)
@click.option("--reason", metavar="TEXT", help="Why; sealed into the audit log. Asked for if not given.")
@click.option("--confirm", metavar="TARGET", help="The target once more, instead of typing it when asked.")
@click.option(
    "--rotate/--no-rotate", "then_rotate", default=True, show_default=True,
    help="Change the root key afterwards, so that old copies of the database do not open either.",
)  # fmt: skip
@as_options
@dir_option
@click.pass_context
def shred(
    ctx: click.Context,
    target: str,
    older_than: int | None,
    dry_run: bool,
    then_rotate: bool,
    directory: str,
    **said: str | None,
) -> None:
    """Destroy a VERSION, DELIVERY, RESULT or DATASET for good, with everything that was made from it.

    The keys of versions, of linked people and results made from them and of refused rows are destroyed; nothing can
    read them any more, backups of the database included once the root key is changed. Two people must agree.
    """
    from hub.workflows import keeping, shredding

    hub = hub_of(ctx, directory)
    plan = shredding.plan(hub, operator(), target, older_than)
    print_table("table", ["kind", "what", "rows", "files", "why"], [
        (item.kind, item.what, item.rows, item.objects, item.why) for item in plan.doomed
    ])  # fmt: skip
    for name, number in plan.moves:
        after = f"version {number} becomes current" if number else "there is no version left"
        click.echo(f"The current version of {name} goes: {after}.")
    if dry_run:
        click.echo("Nothing was destroyed.")
        return
    first = person(hub, said["username"], said["password"])
    click.echo("The second person:", err=True)
    other = person(hub, said["second"], said["second_password"], code_variable="HUB_SECOND_CODE")
    why = said["reason"] or click.prompt("Why is this destroyed?", err=True)
    typed = said["confirm"] or click.prompt(f"This cannot be undone. Type {target} to destroy it", err=True)
    if typed.strip() != target:
        raise click.ClickException("That is not what was to be destroyed. Nothing was destroyed.")
    proof = shredding.carry_out(hub, first, other, plan, why, older_than)
    click.echo(f"Destroyed {len(proof.keys)} keys; entry {proof.entry} of the audit log is the proof.")
    if proof.objects_left:
        click.echo(f"{proof.objects_left} unreadable files could not be removed yet; the worker tries again.")
    if then_rotate:
        done = keeping.rotate_root(hub, operator(), progress=_progress("keys wrapped anew"))
        click.echo(
            f"The root key was changed ({done.keys:,} keys): copies of the database from before do not open."
        )
        click.echo("Destroy copies of the keyring made before now, and make new backups.")
    else:
        click.echo("Copies of the database from before still open until: hub keys rotate")


@click.command(
    epilog="Examples:\n\n  hub backup /backups/2026-05-01\n\n  hub backup /backups/2026-05-01 --with-keys"
)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--with-keys",
    is_flag=True,
    help="Also a copy of the keyring, under a passphrase (HUB_BACKUP_PASSPHRASE).",
)
@dir_option
@click.pass_context
def backup(ctx: click.Context, folder: Path, with_keys: bool, directory: str) -> None:
    """Copy database and encrypted files into an empty FOLDER while the hub serves.

    The keyring stays out: keep a copy of keys/ elsewhere. Whoever has both can read everything.
    """
    from hub.workflows.backup import make_backup

    hub = hub_of(ctx, directory)
    words = _backup_passphrase(confirm=True) if with_keys else ""
    made = make_backup(hub, operator(), folder, passphrase=words, progress=_progress("files"))
    click.echo(
        f"Backed up the database and {len(made.objects):,} files ({made.size / 1e6:,.1f} MB) into {folder}."
    )
    if not with_keys:
        click.echo("It opens only with the keyring: keep a copy of keys/ from now, apart from this.")


@click.command(epilog="Example:\n\n  hub restore /backups/2026-05-01 --dir /srv/hub")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@dir_option
@click.pass_context
def restore(ctx: click.Context, folder: Path, directory: str) -> None:
    """Bring a backup back into a folder (and database) without a hub, and check all of it.

    The keyring is the one in the folder's keys/, put there before, or the copy in the backup (HUB_BACKUP_PASSPHRASE).
    """
    from hub.workflows.backup import keyring_of, read_backup

    composition: Composition = ctx.find_root().obj
    settings = composition.load_settings(directory)
    copied = keyring_of(read_backup(folder)) is not None
    words = _backup_passphrase() if copied and not (settings.keys_dir / "keyring.json").exists() else ""
    hub, problems = composition.restore_hub(settings, folder, passphrase=words, progress=_progress("files"))
    hub.keyring.close()
    hub.database.close()
    for problem in problems:
        click.echo(problem, err=True)
    if problems:
        raise click.ClickException(
            f"Restored into {settings.dir}, with {len(problems)} problems: do not serve it yet."
        )
    click.echo(f"Restored into {settings.dir}; the audit log verifies and every file opens.")


def _backup_passphrase(*, confirm: bool = False) -> str:
    import os

    given = os.environ.get("HUB_BACKUP_PASSPHRASE", "")
    return given or str(
        click.prompt(
            "Passphrase of the keyring's copy", hide_input=True, confirmation_prompt=confirm, err=True
        )
    )


def _progress(what: str) -> Callable[[int, int], None]:
    """Tell people at a terminal how far it is, twice a second."""
    last = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal last
        if sys.stderr.isatty() and (time.monotonic() - last > 0.5 or 0 < total == done):
            last = time.monotonic()
            click.echo(f"\r{done:,} of {total:,} {what}{'' if done < total else chr(10)}", nl=False, err=True)

    return report
