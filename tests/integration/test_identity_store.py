"""Organisations, people, sessions, clients and enrolment codes, the same on both databases."""

import base64
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import inspect, text, update

from hub.errors import Conflict, HubError, Invalid, NotFound, Unauthorised
from hub.identity import people
from hub.identity import store as identities
from hub.identity.tables import EnrolmentRow, SessionRow
from hub.storage.database import utc_now
from hub.workflows import accounts, enrolling, signing_in
from hub.workflows.hub import Hub
from hub.workflows.signing_in import Caller
from support.hubs import PASSWORD, principal_of, signed_in


@pytest.fixture
def home(hub: Hub) -> str:
    """The id of an organisation."""
    with hub.database.write() as session:
        return identities.add_organisation(session, "police", "Wexbourne Police").id


def _jwk(**changes: Any) -> dict[str, Any]:
    public = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": base64.urlsafe_b64encode(public).decode().rstrip("="),
    } | changes


def _everything(hub: Hub) -> str:
    """All that the database holds, as text."""
    with hub.database.engine.connect() as connection:
        tables = inspect(connection).get_table_names()
        return "\n".join(
            str(row) for name in tables for row in connection.execute(text(f"SELECT * FROM {name}"))
        )


def _person(hub: Hub, home: str, username: str = "sam", roles: tuple[str, ...] = ("analyst",)) -> str:
    with hub.database.write() as session:
        return people.add_user(session, username, "Sam Sample", home, roles, PASSWORD)


# ---- organisations


def test_an_organisation_is_registered_once(hub: Hub, home: str) -> None:
    with hub.database.write() as session:
        assert identities.add_organisation(session, "police", "Wexbourne Police").id == home
    with hub.database.write() as session, pytest.raises(Conflict, match="belongs to Wexbourne Police"):
        identities.add_organisation(session, "police", "Somebody else")


@pytest.mark.parametrize("slug", ["", "a", "A", "1a", "a b", "a_b", "a" * 64, "a\n", "a/b", "ä", "-a", "a;"])
def test_a_slug_that_cannot_stand_in_an_address_is_refused(sqlite_hub: Hub, slug: str) -> None:
    with sqlite_hub.database.write() as session, pytest.raises(Invalid):
        identities.add_organisation(session, slug, "x")


def test_two_that_register_the_same_slug_at_once_get_one_organisation_or_a_clear_no(hub: Hub) -> None:
    operator = principal_of(hub, "hub", "operator")

    def add(number: int) -> str:
        try:
            return enrolling.add_organisation(hub, operator, "fresh", f"Name {number % 2}").id
        except Conflict:
            return "conflict"

    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(add, range(8)))
    assert len(found - {"conflict"}) == 1


# ---- people


def test_passwords_are_kept_as_argon2id_and_nowhere_in_the_clear(hub: Hub, home: str) -> None:
    _person(hub, home)
    kept = _everything(hub)
    assert "$argon2id$v=19$m=65536,t=3,p=4$" in kept, "RFC 9106, section 4, second recommended option"
    assert PASSWORD not in kept


def test_the_same_password_twice_is_kept_differently(sqlite_hub: Hub) -> None:
    home = principal_of(sqlite_hub, "police").organisation_id
    for name in ("sam", "kim"):
        _person(sqlite_hub, home, name)
    with sqlite_hub.database.engine.connect() as connection:
        hashes = [row[0] for row in connection.execute(text("SELECT password_hash FROM users"))]
    assert len(set(hashes)) == 2


def test_people_sign_in_whatever_the_capitals_of_their_name(hub: Hub, home: str) -> None:
    user = _person(hub, home, "Sam.Sample")
    for name in ("Sam.Sample", "sam.sample", "SAM.SAMPLE"):
        token, principal = signed_in(hub, name)
        assert (principal.id, principal.roles) == (user, {"analyst"})
        assert signing_in.session_of(hub, token) == principal
    with hub.database.write() as session, pytest.raises(Conflict, match="already"):
        people.add_user(session, "SAM.sample", "x", home, ["analyst"], PASSWORD)


def test_every_cause_of_a_refusal_looks_the_same(hub: Hub, home: str) -> None:
    user = _person(hub, home)
    causes = [("sam", "wrong"), ("sam", ""), ("sam", PASSWORD + "x"), ("sam", PASSWORD.upper()), ("nobody", PASSWORD),
              ("", ""), ("sam ", PASSWORD), ("s%", PASSWORD), ("x" * 10_000, "y" * 10_000)]  # fmt: skip
    said = set()
    for place, (username, password) in enumerate(causes):
        with pytest.raises(Unauthorised) as refused:
            signing_in.sign_in(hub, username, password, Caller(f"192.0.2.{place}"))
        said.add(refused.value.detail)
    with hub.database.write() as session:
        session.execute(text("UPDATE users SET active = :no WHERE id = :id"), {"no": False, "id": user})
    with pytest.raises(Unauthorised) as refused:
        signing_in.sign_in(hub, "sam", PASSWORD)
    assert said == {refused.value.detail}


def test_an_account_that_is_not_there_costs_as_much_as_one_that_is(
    sqlite_hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the time would tell who has an account: hashing is nearly all of it, so that is what is compared."""
    from argon2 import extract_parameters

    _person(sqlite_hub, principal_of(sqlite_hub, "police").organisation_id)
    compared: list[str] = []
    genuine = people._hasher()

    class Spy:
        def verify(self, kept: str, password: str) -> bool:
            compared.append(kept)
            return bool(genuine.verify(kept, password))

        def hash(self, password: str) -> str:
            return str(genuine.hash(password))

    monkeypatch.setattr(people, "_hasher", Spy)
    for username in ("sam", "nobody", "", "SAM"):
        with pytest.raises(Unauthorised):
            signing_in.sign_in(sqlite_hub, username, "wrong")
    assert len(compared) == 4, "one comparison each"
    assert len({str(extract_parameters(kept)) for kept in compared}) == 1


@pytest.mark.parametrize("password", ["", "short", "x" * 11, "x" * 501])
def test_passwords_have_a_length(sqlite_hub: Hub, password: str) -> None:
    home = principal_of(sqlite_hub, "police").organisation_id
    with sqlite_hub.database.write() as session, pytest.raises(Invalid, match="12 to 500"):
        people.add_user(session, "sam", "x", home, ["analyst"], password)


@pytest.mark.parametrize(
    "username", ["", "a", " sam", "sam\n", "sam sample", "s" * 100, "sàm", "a\0b", "-sam", "<b>sam"]
)
def test_usernames_are_plain(sqlite_hub: Hub, username: str) -> None:
    home = principal_of(sqlite_hub, "police").organisation_id
    with sqlite_hub.database.write() as session, pytest.raises(Invalid, match="username"):
        people.add_user(session, username, "x", home, ["analyst"], PASSWORD)


def test_an_account_belongs_to_an_organisation_that_is_there(hub: Hub) -> None:
    with hub.database.write() as session, pytest.raises(NotFound):
        people.add_user(session, "sam", "x", "org_none", ["analyst"], PASSWORD)


# ---- sessions


def test_a_session_is_kept_as_a_hash_and_ends_with_signing_out(hub: Hub, home: str) -> None:
    _person(hub, home)
    token, principal = signed_in(hub, "sam")
    assert len(token) >= 43, "256 random bits"
    assert token not in _everything(hub)
    assert signing_in.session_of(hub, token) == principal
    signing_in.sign_out(hub, token)
    assert signing_in.session_of(hub, token) is None


def test_a_session_ends_when_nobody_uses_it_and_use_keeps_it_alive(hub: Hub, home: str) -> None:
    _person(hub, home)
    token, principal = signed_in(hub, "sam")

    def age(minutes: float) -> None:
        with hub.database.write() as session:
            session.execute(update(SessionRow).values(seen_at=utc_now() - timedelta(minutes=minutes)))

    minutes = hub.settings.session_minutes
    age(minutes - 1)
    assert signing_in.session_of(hub, token) == principal, "and this notes that it was used"
    with hub.database.read() as session:
        seen = session.query(SessionRow).one().seen_at
    assert utc_now() - seen < timedelta(minutes=1)
    age(minutes + 0.1)
    assert signing_in.session_of(hub, token) is None


def test_each_sign_in_is_a_session_of_its_own(hub: Hub, home: str) -> None:
    _person(hub, home)
    first, principal = signed_in(hub, "sam")
    second, _ = signed_in(hub, "sam")
    assert first != second
    signing_in.sign_out(hub, first)
    assert signing_in.session_of(hub, second) == principal


@pytest.mark.parametrize("token", ["", "x", "0" * 43, "é", "a\0b", "x" * 10_000])
def test_a_token_that_is_none_opens_nothing(hub: Hub, home: str, token: str) -> None:
    _person(hub, home)
    signed_in(hub, "sam")
    assert signing_in.session_of(hub, token) is None


def test_a_deactivated_person_is_out_at_once(hub: Hub, home: str) -> None:
    user = _person(hub, home)
    token, _ = signed_in(hub, "sam")
    with hub.database.write() as session:
        session.execute(text("UPDATE users SET active = :no WHERE id = :id"), {"no": False, "id": user})
    assert signing_in.session_of(hub, token) is None


# ---- enrolment


def test_a_code_registers_one_connector_of_its_organisation(hub: Hub, home: str) -> None:
    operator = principal_of(hub, "hub", "operator")
    code = enrolling.invite_connector(hub, operator, "police")
    assert code not in _everything(hub)
    assert len(code.replace("-", "")) == 24, "96 random bits"
    client, organisation = enrolling.enrol(hub, f"  {code.upper()} ", "tests", _jwk())
    assert organisation.id == home
    with hub.database.read() as session:
        found = identities.client_principal(session, client)
    assert found is not None
    assert (found[0].roles, found[0].organisation) == ({"connector"}, "police")
    with pytest.raises(Unauthorised, match="used or too old"):
        enrolling.enrol(hub, code, "thief", _jwk())


def test_a_code_is_used_once_however_many_try_at_once(hub: Hub, home: str) -> None:
    code = enrolling.invite_connector(hub, principal_of(hub, "hub", "operator"), "police")

    def use(_: int) -> bool:
        try:
            return bool(enrolling.enrol(hub, code, "tests", _jwk()))
        except HubError:
            return False

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(use, range(8))) == 1
    with hub.database.read() as session:
        assert len(identities.list_clients(session)) == 1


def test_a_code_is_good_for_three_days(hub: Hub, home: str) -> None:
    code = enrolling.invite_connector(hub, principal_of(hub, "hub", "operator"), "police")
    with hub.database.write() as session:
        (row,) = session.query(EnrolmentRow).all()
        assert timedelta(hours=71) < row.expires_at - utc_now() <= timedelta(hours=72)
        row.expires_at = utc_now() - timedelta(seconds=1)
    with pytest.raises(Unauthorised):
        enrolling.enrol(hub, code, "late", _jwk())


def test_a_key_that_is_refused_leaves_the_code_usable(hub: Hub, home: str) -> None:
    code = enrolling.invite_connector(hub, principal_of(hub, "hub", "operator"), "police")
    with pytest.raises(Invalid):
        enrolling.enrol(hub, code, "tests", _jwk(x="AAAA"))
    assert enrolling.enrol(hub, code, "tests", _jwk())[0]


@pytest.mark.parametrize("code", ["", "x", "0000-0000-0000-0000-0000-0000", "é", "x" * 5000])
def test_a_code_that_is_none_is_refused(hub: Hub, home: str, code: str) -> None:
    enrolling.invite_connector(hub, principal_of(hub, "hub", "operator"), "police")
    with pytest.raises(Unauthorised):
        enrolling.enrol(hub, code, "tests", _jwk())


@pytest.mark.parametrize(
    "changes",
    [
        {"d": "c2VjcmV0"},
        {"d": None},
        {"crv": "Ed448"},
        {"crv": "X25519"},
        {"kty": "RSA"},
        {"x": "AAAA"},
        {"x": ""},
        {"x": "é" * 43},
        {"x": 7},
        {"x": None},
        {"x": "A" * 200},
        {"kty": "oct", "k": "c2VjcmV0"},
    ],
    ids=str,
)
def test_a_key_that_is_no_public_ed25519_key_is_refused(sqlite_hub: Hub, changes: dict[str, Any]) -> None:
    home = principal_of(sqlite_hub, "police").organisation_id
    with pytest.raises(Invalid) as refused, sqlite_hub.database.write() as session:
        identities.add_client(session, home, "tests", ["connector"], _jwk(**changes))
    assert "c2VjcmV0" not in refused.value.detail
    if "d" in changes:
        assert "make a new pair" in refused.value.detail


def test_only_the_public_part_of_a_key_is_kept(hub: Hub, home: str) -> None:
    with hub.database.write() as session:
        identities.add_client(
            session, home, "tests", ["connector"], _jwk(kid="chosen by the client", use="sig")
        )
    assert "chosen by the client" not in _everything(hub)


# ---- who may


def test_only_operators_register_and_each_act_is_noted(sqlite_hub: Hub) -> None:
    from hub.audit import log as audit
    from hub.errors import Forbidden

    hub = sqlite_hub
    outsider = principal_of(
        hub, "police", "data steward", "analyst", "auditor", "output checker", "service user"
    )
    acts: list[Any] = [
        lambda who: enrolling.add_organisation(hub, who, "new", "New"),
        lambda who: enrolling.invite_connector(hub, who, "police"),
        lambda who: enrolling.add_client(hub, who, "police", "x", ["connector"], _jwk()),
        lambda who: accounts.add_user(hub, who, "sam", "Sam", "police", ["analyst"], PASSWORD),
        lambda who: accounts.list_users(hub, who), lambda who: enrolling.list_clients(hub, who),
        lambda who: enrolling.revoke_client(hub, who, "cli_none"),
    ]  # fmt: skip
    for act in acts:
        with pytest.raises(Forbidden):
            act(outsider)
    operator = principal_of(hub, "hub", "operator")
    for act in acts[:-1]:
        act(operator)
    with pytest.raises(NotFound):
        acts[-1](operator)
    with hub.database.read() as session:
        noted = [(entry.action, entry.actor) for entry in audit.recent(session)]
    assert noted[::-1] == [
        (action, operator.reference)
        for action in ("organisation.registered", "connector.invited", "client.registered", "person.added")
    ]
    assert "sam" not in "".join(f"{entry}" for entry in noted), "a person is named by an id"
