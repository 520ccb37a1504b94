"""A hardware security module in software, for tests: SoftHSM2 with tokens in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from support.require import missing

PIN = "5678-test"
_PLACES = (
    "/usr/lib/softhsm",
    "/usr/lib/*/softhsm",
    "/usr/lib64/softhsm",
    "/usr/local/lib/softhsm",
    "/opt/homebrew/lib",
)


@dataclass(frozen=True)
class SoftHsm:
    """A token that was made for one process of tests."""

    module: str
    token: str
    folder: Path

    def settings(self) -> dict[str, str]:
        """The hub's settings that lead to it."""
        return {"pkcs11_module": self.module, "pkcs11_token": self.token, "pkcs11_pin": PIN}

    def unplug(self) -> None:
        """As if the module were pulled out: no process finds a token any more."""
        self.folder.rename(self.folder.with_name("unplugged"))

    def plug_in(self) -> None:
        """Back again."""
        self.folder.with_name("unplugged").rename(self.folder)


def make_softhsm(folder: Path) -> SoftHsm:
    """Initialise a token in `folder`; skips the test, saying why, where there is no SoftHSM.

    The module reads SOFTHSM2_CONF when it starts, once in a process: the environment keeps it from then on.
    """
    program = shutil.which("softhsm2-util")
    module = next(
        (str(path) for place in _PLACES for path in Path("/").glob(f"{place[1:]}/libsofthsm2.so")), None
    )
    if program is None or module is None:
        missing("SoftHSM is not installed (Debian and Ubuntu: apt-get install softhsm2)")
    tokens = folder / "tokens"
    tokens.mkdir(parents=True)
    configuration = folder / "softhsm2.conf"
    configuration.write_text(
        f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    subprocess.run(
        [program, "--init-token", "--free", "--label", "hub-test", "--so-pin", "1234-test", "--pin", PIN],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return SoftHsm(module, "hub-test", tokens)
