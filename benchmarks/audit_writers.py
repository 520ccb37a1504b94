"""What an audit entry adds to a request when sixteen write at once, and whether they wait for each other because of it.

On PostgreSQL: the one that HUB_BENCH_POSTGRES names (the SQLAlchemy URL of an empty database), or a throw-away server
where PostgreSQL's programs are installed. At the scale of toys, and without either, on SQLite: the title says so.
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from sqlalchemy.orm import Session

from benchmarks.measure import interleaved, percentile_95
from benchmarks.registry import Scale
from benchmarks.table import Table, milliseconds, rate, ratio, turns
from hub.audit import log as audit_log
from hub.identity import store as identities

if TYPE_CHECKING:
    from hub.workflows.hub import Hub

__all__ = ["writers"]

_WRITERS = 16
_EACH = 25
_TOY = 1_000
Act = Callable[[], None]


def writers(scale: Scale) -> Table:
    """Requests and bare transactions of sixteen writers, with and without their entries."""
    each = _EACH if scale.entries >= _TOY else 2
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-audit-writers-")))
        url, kind = stack.enter_context(_database(scale))
        hub = stack.enter_context(_hub(folder, url))
        acts = {
            "a request (register an organisation)": _requests(hub),
            "a request (a machine signs in)": _sign_ins(hub, each * _WRITERS * 2 * (scale.repeats + 1)),
            "its smallest transaction (one look, one row)": partial(_smallest, hub),
        }
        times: dict[str, list[float]] = {}
        work: dict[str, list[float]] = {}
        tasks: dict[str, Callable[[], None]] = {}
        for name, act in acts.items():
            for entries in (False, True):
                key = f"{name}|{entries}"
                tasks[key] = partial(
                    _all_at_once, act, each, times.setdefault(key, []), work.setdefault(key, []), entries,
                    name.startswith("a"),
                )  # fmt: skip
        timings = interleaved(tasks, scale.repeats, short=True)
    lines = []
    done = each * _WRITERS
    for name in acts:
        for entries, words in ((False, "alone"), (True, "with its entry")):
            key = f"{name}|{entries}"
            taken = timings.median(key)
            spent = sorted(times[key])
            lines.append(
                (
                    f"{name}: {words}", rate(done, taken), milliseconds(spent[len(spent) // 2]),
                    milliseconds(percentile_95(tuple(spent))), milliseconds(median(work[key]) / done),
                    ratio(timings.ratio(key, f"{name}|False")),
                )
            )  # fmt: skip
    return Table(
        f"audit: {_WRITERS} writers at once on {kind}",
        ("what", "a second", "median ms", "p95 ms", "CPU ms", "to alone"),
        tuple(lines),
        (
            f"{turns(scale.repeats)}, {each} by each writer; one process serves them all. CPU: the hub's, without "
            "the database's.",
        ),
    )


def _all_at_once(
    act: Act, each: int, times: list[float], work: list[float], entries: bool, noted: bool
) -> None:
    """Every writer acts so many times; `noted` acts write their entry themselves and are kept from it."""

    def write(_: int) -> None:
        for _ in range(each):
            started = time.perf_counter()
            act() if noted or not entries else _with_entry(act)
            times.append(time.perf_counter() - started)

    with ExitStack() as stack:
        if noted and not entries:
            stack.enter_context(patch.object(audit_log, "record", lambda session, **_: 0))
        began = time.process_time()
        with ThreadPoolExecutor(_WRITERS) as pool:
            list(pool.map(write, range(_WRITERS)))
        work.append(time.process_time() - began)


def _with_entry(act: Any) -> None:
    act(entry=True)


def _smallest(hub: Hub, *, entry: bool = False) -> None:
    with hub.database.write() as session:
        slug = f"bench-{secrets.token_hex(8)}"
        identities.add_organisation(session, slug, slug)
        if entry:
            _note(session)


def _note(session: Session) -> None:
    audit_log.record(
        session, actor="person:bench", action="organisation.registered", target=f"org_{secrets.token_hex(8)}",
        request_id=secrets.token_hex(8), subjects=[secrets.token_hex(32)],
    )  # fmt: skip


def _requests(hub: Hub) -> Act:
    """A whole request to the application: token, permissions, schema, transaction, answer; without a network."""
    from hub.app import create_app

    app, headers = create_app(hub.settings, hub), {"Authorization": f"Bearer {_token(hub)}"}

    def act() -> None:
        slug = f"bench-{secrets.token_hex(8)}"
        answer = app.test_client().post(
            "/api/v1/organisations", json={"slug": slug, "name": slug}, headers=headers
        )
        if answer.status_code != 201:
            raise RuntimeError(f"the request failed: {answer.get_data(as_text=True)}")

    return act


def _sign_ins(hub: Hub, number: int) -> Act:
    """An access token for a client assertion, over the application; the assertions are signed beforehand."""
    from hub.app import create_app

    app, assertion = create_app(hub.settings, hub), _client(hub)
    ready = [assertion() for _ in range(number)]

    def act() -> None:
        answer = app.test_client().post(
            "/oauth/token",
            data={
                "grant_type": "client_credentials", "client_assertion": ready.pop(),
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            },
        )  # fmt: skip
        if answer.status_code != 200:
            raise RuntimeError(f"the request failed: {answer.get_data(as_text=True)}")

    return act


def _token(hub: Hub) -> str:
    from hub.workflows import enrolling

    return str(enrolling.token_for(hub, _client(hub)())[0])


def _client(hub: Hub) -> Callable[[], str]:
    """A registered operator's program; what is returned makes assertions that prove it is it."""
    from joserfc import jwt
    from joserfc.jwk import OKPKey

    key = OKPKey.generate_key("Ed25519")
    public = key.as_dict(private=False)
    with hub.database.write() as session:
        home = next(item for item in identities.list_organisations(session) if item.slug == "hub")
        client = identities.add_client(
            session, home.id, "bench", ["operator"], {name: public[name] for name in ("kty", "crv", "x")}
        )

    def assertion() -> str:
        now = int(time.time())
        claims = {
            "iss": client, "sub": client, "aud": hub.tokens.token_url, "iat": now, "exp": now + 290,
            "jti": secrets.token_hex(16),
        }  # fmt: skip
        return jwt.encode({"alg": "Ed25519", "typ": "JWT"}, claims, key, algorithms=["Ed25519"])

    return assertion


@contextmanager
def _hub(folder: Path, url: str) -> Iterator[Hub]:
    from hub.app import init_hub
    from hub.config import load_settings

    hub = init_hub(
        load_settings(
            folder / "hub", environ={}, public_url="http://127.0.0.1", database_url=url, log_level="error",
            two_person_registration=False, rate_limits=False, token_minutes=600,
        )
    )  # fmt: skip
    try:
        yield hub
    finally:
        hub.database.close()
        hub.keyring.close()


@contextmanager
def _database(scale: Scale) -> Iterator[tuple[str, str]]:
    given = os.environ.get("HUB_BENCH_POSTGRES", "")
    if given:
        yield given, "PostgreSQL"
        return
    if scale.entries >= _TOY and (programs := _programs()) is not None:
        from support.postgres import SETTINGS, running_server

        durable = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
        with patch.dict(SETTINGS, durable), running_server(programs) as server:
            yield server.url(server.create()), "PostgreSQL (fsync on)"
        return
    yield "", "SQLite (toys, or no PostgreSQL)"


def _programs() -> Path | None:
    """PostgreSQL's programs, found as the tests find them."""
    tests = str(Path(__file__).resolve().parent.parent / "tests")
    if tests not in sys.path:
        sys.path.append(tests)
    from support.postgres import find_programs

    return find_programs()
