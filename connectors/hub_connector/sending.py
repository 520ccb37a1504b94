"""Sending a package: only what the hub has not got yet, so that a cut at any point costs at most one part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .errors import HubRefused, HubUnreachable

if TYPE_CHECKING:
    from .client import HubClient
    from .packing import Package

__all__ = ["Sent", "send"]

_ROUNDS: Final = 3
_CONFLICT: Final = 409


@dataclass(frozen=True)
class Sent:
    """How far a package came: the state the hub gives it.

    delivery: the package's id, or that of an earlier delivery when the hub has the same data already; then
    `duplicate` is true and nothing was sent.
    """

    delivery: str
    state: str
    duplicate: bool = False


def send(client: HubClient, package: Package, progress: Callable[[int, int], None]) -> Sent:
    """Send what is missing and say that it is complete.

    Sending a package again, whole or in part, has no further effect.

    Args:
        client: signed in to the hub.
        package: what to send.
        progress: told the bytes the hub has and the bytes there are.

    Raises:
        HubUnreachable: when the connection is cut; sending again goes on where it stopped.
        HubRefused: when the hub does not take the delivery.
    """
    for attempt in range(_ROUNDS):
        answer = client.open_delivery(package.manifest, package.signature)
        if answer.get("duplicate"):
            return Sent(str(answer["id"]), str(answer["state"]), duplicate=True)
        if answer["state"] != "uploading":
            progress(package.size, package.size)
            return Sent(package.id, str(answer["state"]))
        _send_parts(client, package, [(item["role"], item["part"]) for item in answer["missing"]], progress)
        try:
            return Sent(package.id, str(client.complete(package.id)["state"]))
        except HubRefused as error:
            # The hub may have lost a part after it had thanked for it; then it says so, and is asked again.
            if error.status != _CONFLICT or attempt == _ROUNDS - 1:
                raise
    raise HubUnreachable("The hub keeps losing parts of this delivery.", "Tell the hub's operator.")


def _send_parts(
    client: HubClient, package: Package, missing: list[tuple[str, int]], progress: Callable[[int, int], None]
) -> None:
    known = {file["role"]: file for file in package.manifest["files"]}
    sizes = {
        (role, part): min(package.part_size, known[role]["size"] - (part - 1) * package.part_size)
        for role, part in missing
    }
    done = package.size - sum(sizes.values())
    progress(done, package.size)
    for role, part in missing:
        client.put_part(package.id, role, part, package.part(role, part))
        done += sizes[role, part]
        progress(done, package.size)
