"""An agreement's whole life: two people, every party's signature, and nothing that a database insider can bend."""

import base64
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from alembic import command
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text as sql

from hub.app import open_hub
from hub.config import load_settings
from hub.errors import Conflict, Forbidden, Invalid, NotFound
from hub.migrations import upgrade as migrations
from hub.policy import store as agreements
from hub.policy.agreement import AgreementState
from hub.policy.decide import Asked, decide
from hub.policy.statement import sign
from hub.storage.database import Database
from hub.vault.keyring import Keyring
from hub.workflows import agreeing, signing
from hub.workflows.hub import Hub
from support.agreements import CONSOLE, agree_to, put_in_force, sign_for, signing_key
from support.hubs import principal_of
from support.staged import AGREEMENT

WIDE = AGREEMENT.replace("id: planning", "id: sharing").replace(
    "organisations: [police]", "organisations: [council]"
)
ASKED = Asked(
    "run plugin", "police.establishment", "council", date(2026, 6, 1), frozenset({"team"}), plugin="counting",
    publisher="police",
)  # fmt: skip
PORTIA = "Portia Example, chief executive"


@pytest.fixture
def hub(sqlite_hub: Hub) -> Hub:
    """A hub with two organisations."""
    for slug in ("police", "council"):
        principal_of(sqlite_hub, slug)
    return sqlite_hub


def _steward(hub: Hub, slug: str = "hub", name: str = "one") -> object:
    return principal_of(hub, slug, "data steward", name=name)


def _read(hub: Hub, agreement_id: str = "sharing") -> agreements.Agreement:
    with hub.database.read() as session:
        return agreements.get(session, agreement_id)


def _bend(hub: Hub, statement: str, **values: object) -> None:
    """What somebody does who can write the database and nothing else."""
    with hub.database.write() as session:
        session.execute(sql(statement), values)


def test_the_whole_way_is_drafting_review_by_another_and_a_signature_of_every_party(hub: Hub) -> None:
    one, two = _steward(hub), _steward(hub, name="two")
    assert agreeing.draft(hub, one, WIDE).state is AgreementState.DRAFT
    assert agreeing.change(hub, one, "sharing", "submit").state is AgreementState.IN_REVIEW
    with pytest.raises(Forbidden, match="You wrote this agreement"):
        agreeing.change(hub, one, "sharing", "approve")
    assert agreeing.change(hub, two, "sharing", "approve").state is AgreementState.AGREED
    assert not decide(ASKED, [_read(hub)]).allowed
    assert agreeing.standing(hub, one, "sharing").missing == ("council", "police")
    assert sign_for(hub, "sharing", "police").state is AgreementState.AGREED
    assert sign_for(hub, "sharing", "council").state is AgreementState.ACTIVE
    found = _read(hub)
    assert (found.signed_by, found.trouble) == ({"police", "council"}, "")
    assert decide(ASKED, [found]).allowed


def test_what_comes_back_from_review_is_written_anew_and_none_of_its_authors_approves(hub: Hub) -> None:
    one, two, three = (_steward(hub, name=name) for name in ("one", "two", "three"))
    agreeing.draft(hub, one, WIDE)
    agreeing.change(hub, one, "sharing", "submit")
    with pytest.raises(Conflict, match="only the text of a draft"):
        agreeing.rewrite(hub, one, "sharing", WIDE)
    with pytest.raises(Invalid, match="what has to change"):
        agreeing.change(hub, two, "sharing", "return", "no")
    agreeing.change(hub, two, "sharing", "return", "The retention is too long for this.")
    assert agreeing.standing(hub, one, "sharing").note == "The retention is too long for this."
    changed = agreeing.rewrite(hub, two, "sharing", WIDE.replace("retention_days: 730", "retention_days: 30"))
    assert (changed.version, changed.retention_days) == (2, 30)
    agreeing.change(hub, two, "sharing", "submit")
    for author in (one, two):
        with pytest.raises(Forbidden, match="somebody else must approve"):
            agreeing.change(hub, author, "sharing", "approve")
    assert agreeing.change(hub, three, "sharing", "approve").state is AgreementState.AGREED


def test_a_signature_counts_for_one_text_one_organisation_and_one_signer(hub: Hub) -> None:
    agree_to(hub, WIDE)
    steward, key = _steward(hub, "police"), signing_key(hub, "police")
    said = signing.statement(hub, steward, "sharing", "police", PORTIA)
    good = sign(said.text, key)
    other = sign(said.text, Ed25519PrivateKey.generate().private_bytes_raw())
    for signer, signature in (
        ("Somebody Else", good), (PORTIA, other), (PORTIA, "!"), (PORTIA, good[:-4]),
        (PORTIA, sign(said.text.replace('"version": 1', '"version": 2'), key)),
    ):  # fmt: skip
        with pytest.raises(Invalid, match="was not made with a registered key"):
            signing.sign(hub, steward, "sharing", "police", signer, signature)
    signing_key(hub, "council")
    with pytest.raises(Invalid, match="not made with a registered key of council"):
        signing.sign(hub, _steward(hub, "council"), "sharing", "council", PORTIA, good)
    with pytest.raises(Forbidden, match="data steward of council"):
        signing.sign(hub, steward, "sharing", "council", PORTIA, good)
    signing.sign(hub, steward, "sharing", "police", PORTIA, good)
    with pytest.raises(Conflict, match="has signed agreement sharing already"):
        signing.sign(hub, steward, "sharing", "police", PORTIA, good)


def test_nobody_signs_before_it_is_agreed_nor_after_its_end(hub: Hub) -> None:
    one = _steward(hub)
    agreeing.draft(hub, one, WIDE)
    with pytest.raises(Conflict, match="does not wait for signatures"):
        signing.statement(hub, one, "sharing", "police", PORTIA)
    short = WIDE.replace("id: sharing", "id: short").replace("2099-12-31", "2026-03-01")
    agree_to(hub, short)
    late = replace(hub, clock=lambda: hub.clock() + timedelta(days=3650))
    with pytest.raises(Conflict, match="last day of agreement short is over"):
        sign_for(late, "short", "police")


def test_registering_a_key_takes_two_people_one_of_them_of_the_organisation(hub: Hub) -> None:
    public = base64.b64encode(Ed25519PrivateKey.generate().public_key().public_bytes_raw()).decode()
    home, colleague = _steward(hub, "police"), _steward(hub, "police", "two")
    key = signing.add_key(hub, home, "police", public, "seal of the force")
    assert key.state == "waiting"
    with pytest.raises(Forbidden, match="You registered this key"):
        signing.approve_key(hub, home, key.id)
    with pytest.raises(NotFound):
        signing.approve_key(hub, _steward(hub, "council"), key.id)
    with pytest.raises(NotFound):
        signing.add_key(hub, _steward(hub, "council"), "police", public)
    with pytest.raises(Conflict, match="registered already"):
        signing.add_key(hub, colleague, "police", public)
    assert signing.approve_key(hub, colleague, key.id).state == "active"
    second = base64.b64encode(Ed25519PrivateKey.generate().public_key().public_bytes_raw()).decode()
    for_them = signing.add_key(hub, _steward(hub), "police", second)
    with pytest.raises(Forbidden, match="somebody of police must approve"):
        signing.approve_key(hub, _steward(hub, name="two"), for_them.id)
    with pytest.raises(Invalid, match="base64 of a raw Ed25519 public key"):
        signing.add_key(hub, home, "police", "AAAA")


def test_a_revoked_key_signs_nothing_and_what_a_compromised_one_signed_counts_no_more(hub: Hub) -> None:
    put_in_force(hub, WIDE)
    council = signing.list_keys(hub, _steward(hub), "council")[0]
    signing.revoke_key(hub, CONSOLE, council.id)
    assert decide(ASKED, [_read(hub)]).allowed, "what was signed stays signed"
    agree_to(hub, WIDE.replace("id: sharing", "id: another"))
    with pytest.raises(Invalid, match="No signing key of council"):
        sign_for(hub, "another", "council")
    signing.revoke_key(hub, CONSOLE, council.id, compromised=True)
    decision = decide(ASKED, [_read(hub)])
    assert not decision.allowed
    assert "no signature of council holds" in decision.reason


FORGED = {
    "a column added to the text": "UPDATE agreements SET text = replace(text, 'area, fte]', 'area, fte, kind]')",
    "a longer time": "UPDATE agreements SET text = replace(text, '2026-01-01', '2020-01-01')",
    "no agreement at all": "UPDATE agreements SET text = 'x'",
    "a state that there is not": "UPDATE agreements SET state = 'for ever'",
    "a state": "UPDATE agreements SET state = 'active' WHERE state = 'withdrawn'",
    "one that needs no signatures": "UPDATE agreements SET unsigned = true, text = replace(text, 'fte]', 'fte, kind]')",
    "fewer who must sign": "UPDATE agreements SET parties = '{}'",
    "another version": "UPDATE agreements SET version = 2",
    "no seal at all": "UPDATE agreements SET seal = NULL",
    "another's seal": "UPDATE agreements SET seal = (SELECT seal FROM agreement_signatures LIMIT 1)",
    "no signature": "DELETE FROM agreement_signatures WHERE organisation = 'police'",
    "a signature of another": "UPDATE agreement_signatures SET organisation = 'police', signer = 'x' "
    "WHERE organisation = 'police'",
    "a key put in place": "UPDATE agreement_keys SET public_key = 'AAAA' WHERE organisation = 'police'",
    "a key of another": "UPDATE agreement_keys SET organisation = 'hub' WHERE organisation = 'police'",
}  # fmt: skip


@pytest.mark.parametrize("forgery", FORGED.values(), ids=FORGED)
def test_what_is_bent_in_the_database_is_noticed_when_a_decision_is_made(hub: Hub, forgery: str) -> None:
    put_in_force(hub, WIDE)
    if "withdrawn" in forgery:
        agreeing.change(hub, _steward(hub), "sharing", "withdraw")
    _bend(hub, forgery)
    found = _read(hub)
    assert found.trouble
    assert not decide(ASKED, [found]).allowed
    with hub.database.read() as session:
        assert agreements.active(session, date(2026, 6, 1)) == []


def test_a_draft_bent_in_the_database_is_neither_approved_nor_signed(hub: Hub) -> None:
    one, two = _steward(hub), _steward(hub, name="two")
    agreeing.draft(hub, one, WIDE)
    agreeing.change(hub, one, "sharing", "submit")
    _bend(hub, "UPDATE agreements SET authors = 'person:nobody', created_by = 'person:nobody'")
    with pytest.raises(Conflict, match="cannot go on: its record in the database was changed"):
        agreeing.change(hub, one, "sharing", "approve")
    agreeing.change(hub, two, "sharing", "withdraw")
    agree_to(hub, WIDE.replace("id: sharing", "id: agreed"))
    _bend(hub, "UPDATE agreements SET text = text || ' ' WHERE id = 'agreed'")
    with pytest.raises(Conflict, match="cannot be signed"):
        sign_for(hub, "agreed", "police")


def test_an_agreement_from_before_signatures_stays_in_force_and_says_so(hub: Hub) -> None:
    """As after the migration: no seal, marked unsigned; the hub takes it over once, and never again."""
    put_in_force(hub, WIDE)
    _bend(hub, "DELETE FROM agreement_signatures")
    _bend(hub, "UPDATE agreements SET seal = NULL, unsigned = true, parties = NULL, version = 1")
    assert not decide(ASKED, [_read(hub)]).allowed, "an unsealed record is not believed"
    with hub.database.write() as session:
        assert agreements.adopt(session) == 1
        assert agreements.adopt(session) == 0
    found = _read(hub)
    assert found.signed_by is None
    assert decide(ASKED, [found]).allowed
    assert agreeing.standing(hub, _steward(hub), "sharing").record.unsigned


def test_whoever_registers_later_uses_nothing_until_they_have_signed_too(hub: Hub) -> None:
    text = WIDE.replace("[council]", "[council, health]")
    put_in_force(hub, text, register=False)
    asked = replace(ASKED, organisation="health")
    principal_of(hub, "health")
    decision = decide(asked, [_read(hub)])
    assert "has no signature of health that holds" in decision.reason
    sign_for(hub, "sharing", "health")
    assert decide(asked, [_read(hub)]).allowed
    assert decide(ASKED, [_read(hub)]).allowed


def test_a_steward_of_no_party_neither_sees_nor_changes_it(hub: Hub) -> None:
    put_in_force(hub, WIDE)
    stranger = _steward(hub, "elsewhere")
    for act in (
        lambda: agreeing.read(hub, stranger, "sharing"),
        lambda: agreeing.standing(hub, stranger, "sharing"),
        lambda: agreeing.change(hub, stranger, "sharing", "withdraw"),
        lambda: agreeing.compare(hub, stranger, "sharing"),
        lambda: signing.statement(hub, stranger, "sharing", "police", PORTIA),
    ):
        with pytest.raises(NotFound):
            act()
    assert agreeing.list_agreements(hub, stranger) == []
    with pytest.raises(Forbidden, match="no party to this agreement"):
        agreeing.draft(hub, stranger, WIDE.replace("id: sharing", "id: grab"))


def test_a_hub_of_an_earlier_release_keeps_its_agreements_in_force_and_takes_them_over_once(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    database = Database(url)
    with database.engine.execution_options(hub_write=True).begin() as connection:
        command.upgrade(migrations._config(connection), "0006")
        for ident, state in (("planning", "active"), ("drafted", "draft"), ("ended", "withdrawn")):
            connection.execute(
                sql(
                    "INSERT INTO agreements (id, text, state, created_at, created_by) "
                    "VALUES (:id, :text, :state, '2026-01-01 00:00:00+00:00', 'person:old')"
                ),
                {"id": ident, "text": AGREEMENT.replace("id: planning", f"id: {ident}"), "state": state},
            )
    migrations.upgrade(database)
    database.close()
    folder = tmp_path / "hub"
    settings = load_settings(folder, environ={}, database_url=url, intake_process=False)
    keyring = Keyring.create(settings.keys_dir)
    keyring.change(lambda held: replace(held, agreements_sealed=False))
    hub = open_hub(settings)
    asked = replace(ASKED, organisation="police")
    assert decide(asked, [_read(hub, "planning")]).allowed
    assert _read(hub, "planning").signed_by is None
    assert [_read(hub, ident).state for ident in ("drafted", "ended")] == ["draft", "withdrawn"]
    with hub.database.read() as session:
        record = agreements.record(session, "planning")
        assert (record.authors, record.unsigned) == (("person:old",), True)
        assert not agreements.record(session, "drafted").unsigned
    _bend(hub, "UPDATE agreements SET seal = NULL, unsigned = true, state = 'active' WHERE id = 'ended'")
    hub.database.close()
    again = open_hub(settings)
    assert _read(again, "ended").trouble, "taken over once, and never again"
    again.database.close()
