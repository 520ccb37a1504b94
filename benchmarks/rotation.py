"""Rotating the root key of a hub with many owners, and what reading costs meanwhile.

The floor writes the same rows again in batches of the same size, without any key: what the database alone takes. A
reader locates a file again and again while keys are rotated; its slowest look-ups say how long anybody waits.
"""

from __future__ import annotations

import glob
import os
import secrets
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

import pyarrow as pa

from benchmarks.measure import percentile_95
from benchmarks.registry import Scale
from benchmarks.table import NONE, Table, milliseconds, rate, ratio, seconds
from hub.app import init_hub
from hub.config import load_settings
from hub.identity.principal import Principal
from hub.vault import rotate
from hub.vault.rotate import Moved
from hub.workflows import keeping
from hub.workflows.hub import Hub

__all__ = ["run"]

_OPERATOR = Principal("system", "bench", "bench", "", "hub", frozenset({"operator"}))
_ROWS = pa.table({"row_number": pa.array([1], pa.int64())})
_BATCH = 500
_MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/*/softhsm/libsofthsm2.so")


def run(scale: Scale) -> list[Table]:
    """One table: the floor, the local keyring, and a software security module where there is one."""
    lines: list[tuple[str, ...]] = []
    with tempfile.TemporaryDirectory(prefix="bench-rotation-") as name:
        folder = Path(name)
        floor = 0.0
        for place, settings in {"in the keyring": {}, **_module(folder)}.items():
            hub = _hub(folder / str(len(lines)), settings, scale.keys)
            try:
                if not lines:
                    floor = _rewrite(hub)
                    lines.append(
                        (
                            "floor: the same rows again",
                            seconds(floor),
                            rate(scale.keys, floor),
                            "1.00x",
                            NONE,
                            NONE,
                        )
                    )
                taken, waits = _rotate(hub)
                lines.append(
                    (
                        f"root key {place}", seconds(taken), rate(scale.keys, taken), ratio(taken / floor),
                        milliseconds(median(waits)), milliseconds(percentile_95(tuple(waits))),
                    )
                )  # fmt: skip
            finally:
                hub.keyring.close()
                hub.database.close()
    columns = ("what", "seconds", "keys/s", "to floor", "read median ms", "read p95 ms")
    notes = (
        f"One run of {scale.keys:,} keys on SQLite (synchronous=FULL), {_BATCH} a transaction; no data is touched.",
        "Reads: finding a file and opening its owner's key, by another thread, while keys are rotated.",
    )
    return [
        Table(
            "rotation: every owner's key under a new root key, while the hub reads",
            columns,
            tuple(lines),
            notes,
        )
    ]


def _module(folder: Path) -> dict[str, dict[str, str]]:
    """Settings of a token in SoftHSM, made for this run; nothing where it is not installed."""
    program = shutil.which("softhsm2-util")
    module = next((path for pattern in _MODULES for path in glob.glob(pattern)), None)
    if program is None or module is None or "SOFTHSM2_CONF" in os.environ:
        return {}
    tokens = folder / "tokens"
    tokens.mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(
        f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    pin = secrets.token_hex(4)
    made = [
        program,
        "--init-token",
        "--free",
        "--label",
        "bench",
        "--so-pin",
        secrets.token_hex(4),
        "--pin",
        pin,
    ]
    subprocess.run(made, check=True, capture_output=True)
    told = {"key_provider": "pkcs11", "pkcs11_module": module, "pkcs11_token": "bench", "pkcs11_pin": pin}
    return {"in SoftHSM (PKCS#11)": told}


def _hub(folder: Path, settings: dict[str, str], keys: int) -> Hub:
    """A hub with so many owners, and one file to look at."""
    hub = init_hub(load_settings(folder, environ={}, log_level="error", **settings))
    owner = hub.vault.new_owner("ver_read")
    file = hub.vault.write(owner, "versions/read", "read", [_ROWS], _ROWS.schema, {"row_number": "open"})
    with hub.database.write() as session:
        hub.vault.register(session, owner, [file])
    made = 1
    while made < keys:
        some = [hub.vault.new_owner(f"ver_{number:08}") for number in range(made, min(made + _BATCH, keys))]
        with hub.database.write() as session:
            for item in some:
                hub.vault.register(session, item, [])
        made += len(some)
    return hub


def _rewrite(hub: Hub) -> float:
    started, after = time.perf_counter(), ""
    while True:
        with hub.database.read() as session:
            batch = rotate.waiting(session, "", _BATCH, after)
        if not batch:
            return time.perf_counter() - started
        after = batch[-1].owner
        with hub.database.write() as session:
            rotate.move(session, batch[0].root, [Moved(item, item.wrapped) for item in batch])


def _rotate(hub: Hub) -> tuple[float, list[float]]:
    """How long it takes, and how long each look-up meanwhile took, in seconds."""
    stop, waits = threading.Event(), [0.0]

    def read() -> None:
        while not stop.is_set():
            started = time.perf_counter()
            with hub.database.read() as session:
                hub.vault.locate(session, "versions/read", "read")
            waits.append(time.perf_counter() - started)
            stop.wait(0.002)

    thread = threading.Thread(target=read)
    thread.start()
    started = time.perf_counter()
    try:
        keeping.rotate_root(hub, _OPERATOR)
    finally:
        taken = time.perf_counter() - started
        stop.set()
        thread.join()
    return taken, waits[1:] or waits
