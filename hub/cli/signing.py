"""hub agreements statement, sign and keys: what an organisation signs, with a key that never comes to the hub."""

from __future__ import annotations

import base64
import os
import sys
from pathlib import Path

import click

from hub.cli.base import as_options, dir_option, format_option, hub_of, operator, person, print_table
from hub.errors import Invalid

__all__ = ["keys", "sign", "statement"]


@click.command(
    "statement",
    epilog="Example:\n\n  hub agreements statement troubled-families --org wexbourne-children \\\n"
    '      --signer "Jane Example, Director of Children\'s Services" > statement.json',
)
@click.argument("agreement_id")
@click.option("--org", "organisation", required=True, metavar="SLUG", help="Which organisation signs.")
@click.option("--signer", required=True, metavar="WORDS", help="Who signs for it: name and office.")
@dir_option
@click.pass_context
def statement(ctx: click.Context, agreement_id: str, organisation: str, signer: str, directory: str) -> None:
    """Print what an organisation signs, exactly as it is signed."""
    from hub.workflows import signing

    said = signing.statement(hub_of(ctx, directory), operator(), agreement_id, organisation, signer)
    sys.stdout.buffer.write(said.text.encode())


@click.command(
    "sign",
    epilog="Examples:\n\n  hub agreements sign --statement statement.json --key council.key\n\n"
    "  hub agreements sign troubled-families --org council --signer WORDS --signature TEXT --as stella\n\n"
    "  hub agreements sign troubled-families --org council --signer WORDS --key council.key --as stella",
)
@click.argument("agreement_id", default="")
@click.option(
    "--statement", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Sign this file offline and print the signature.",
)  # fmt: skip
@click.option(
    "--key", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The organisation's private key (PEM), as `hub agreements keys new` makes it.",
)  # fmt: skip
@click.option("--org", "organisation", default="", metavar="SLUG", help="Which organisation signs.")
@click.option("--signer", default="", metavar="WORDS", help="Who signs for it: name and office.")
@click.option("--signature", default="", metavar="TEXT", help="A signature that was made elsewhere (base64).")
@as_options
@dir_option
@click.pass_context
def sign(
    ctx: click.Context, agreement_id: str, file: Path | None, key: Path | None, organisation: str, signer: str,
    signature: str, username: str | None, password: str | None, directory: str,
) -> None:  # fmt: skip
    """Sign an agreement for an organisation: offline, or handing the signature in; the last one puts it into force."""
    from hub.policy.statement import sign as signature_over

    if file is not None:
        if key is None or agreement_id:
            raise click.UsageError("Offline, give --statement FILE and --key FILE, and nothing else.")
        text = file.read_bytes().decode("utf-8")
        click.echo(signature_over(text, _private(key)))
        return
    if not agreement_id or not organisation or not signer or (key is None) == (not signature):
        raise click.UsageError("Give the agreement's ID, --org, --signer, and either --key or --signature.")
    from hub.workflows import signing

    hub = hub_of(ctx, directory)
    who = person(hub, username, password)
    if key is not None:
        said = signing.statement(hub, who, agreement_id, organisation, signer)
        signature = signature_over(said.text, _private(key))
    agreement = signing.sign(hub, who, agreement_id, organisation, signer, signature)
    click.echo(f"Signed for {organisation}. {agreement_id} is {agreement.state.value}.")


def _private(path: Path) -> bytes:
    """The raw private key in a PEM file.

    Raises:
        Invalid: when there is none, or it is under a passphrase.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise Invalid(f"{path.name} holds no Ed25519 private key in PEM without a passphrase.")
    return key.private_bytes_raw()


@click.group()
def keys() -> None:
    """Keys with which organisations sign agreements. The hub has their public parts only."""


@keys.command("new", epilog="Example:\n\n  hub agreements keys new council.key")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def new(file: Path) -> None:
    """Make a pair: the private key goes into FILE, the public key is printed. No hub is needed."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Invalid(f"There is a file {file.name} already; a key is never overwritten.") from None
    except OSError as error:
        raise Invalid(f"{file.name} cannot be written: {error.strerror}.") from None
    with os.fdopen(descriptor, "wb") as target:
        target.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    click.echo(base64.b64encode(key.public_key().public_bytes_raw()).decode())


@keys.command(
    "add", epilog="Example:\n\n  hub agreements keys add council PUBLIC_KEY --name 'seal of the council'"
)
@click.argument("organisation")
@click.argument("public_key")
@click.option("--name", default="", metavar="WORDS", help="What it is called.")
@dir_option
@click.pass_context
def add(ctx: click.Context, organisation: str, public_key: str, name: str, directory: str) -> None:
    """Register an organisation's public key. At the hub's machine it can be used at once: compare it first."""
    from hub.workflows import signing

    key = signing.add_key(hub_of(ctx, directory), operator(), organisation, public_key, name)
    click.echo(f"{key.id} of {organisation}, fingerprint {key.fingerprint}: {key.state}")


@keys.command("list", epilog="Example:\n\n  hub agreements keys list --org council")
@click.option("--org", "organisation", default="", metavar="SLUG", help="Only this organisation's.")
@dir_option
@format_option
@click.pass_context
def list_keys(ctx: click.Context, organisation: str, directory: str, form: str) -> None:
    """List the signing keys."""
    from hub.workflows import signing

    found = signing.list_keys(hub_of(ctx, directory), operator(), organisation)
    rows = [
        (item.id, item.organisation, item.state, item.name, item.fingerprint, item.public_key)
        for item in found
    ]
    print_table(form, ["id", "organisation", "state", "name", "fingerprint", "public_key"], rows)


@keys.command("approve", epilog="Example:\n\n  hub agreements keys approve agk_0123 --as theo")
@click.argument("key_id")
@as_options
@dir_option
@click.pass_context
def approve(
    ctx: click.Context, key_id: str, username: str | None, password: str | None, directory: str
) -> None:
    """Let a registered key be used: not by the one who registered it."""
    from hub.workflows import signing

    hub = hub_of(ctx, directory)
    key = signing.approve_key(hub, person(hub, username, password), key_id)
    click.echo(f"{key.id} of {key.organisation} can be used now.")


@keys.command("revoke", epilog="Example:\n\n  hub agreements keys revoke agk_0123 --compromised")
@click.argument("key_id")
@click.option("--compromised", is_flag=True, help="Somebody else had it: what it signed stops counting, too.")
@dir_option
@click.pass_context
def revoke(ctx: click.Context, key_id: str, compromised: bool, directory: str) -> None:
    """Let a key sign nothing any more."""
    from hub.workflows import signing

    key = signing.revoke_key(hub_of(ctx, directory), operator(), key_id, compromised=compromised)
    click.echo(f"{key.id} of {key.organisation} is {key.state}.")
