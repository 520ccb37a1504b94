"""Agreements in plain words: reading, reviewing, signing, ending and explaining them, and signing keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import Response, flash, redirect, request, url_for

from hub.errors import Conflict, Forbidden, HubError, Invalid, NotFound
from hub.policy.decide import Asked
from hub.policy.record import OPERATIONS
from hub.policy.roles import Permission
from hub.web import pages
from hub.web.forms_agreements import (
    EmptyForm,
    ExplainForm,
    KeyForm,
    ReviewForm,
    SignatureForm,
    WithdrawForm,
)
from hub.web.rendering import render
from hub.web.sessions import me
from hub.web.text import clean
from hub.web.views.common import i_may, name_of_slug, organisations, plugin_titles
from hub.web.views.drafting import draft_lines
from hub.workflows import agreeing, drafting, overview, signing
from hub.workflows.hub import today

if TYPE_CHECKING:
    from hub.policy.signing import SigningKey
    from hub.workflows.hub import Hub

__all__ = ["VIEWS"]

_OPERATIONS: Final = tuple((name, name.capitalize()) for name in OPERATIONS)


def agreements(hub: Hub) -> Any:
    """The agreements one may read, and what one's organisation is writing."""
    writes = i_may(Permission.MANAGE_AGREEMENTS)
    return render(
        pages.AgreementsPage(
            agreements=tuple(
                pages.AgreementLine(item, tuple(name_of_slug(hub, slug) for slug in item.organisations))
                for item in agreeing.list_agreements(hub, me())
            ),
            drafts=draft_lines(hub) if writes else (),
            may_write=writes,
        )
    )


def agreement(hub: Hub, agreement_id: str) -> Any:
    """One agreement in plain words, with where it stands."""
    standing = agreeing.standing(hub, me(), agreement_id)
    found = standing.agreement
    slugs = {*found.publishers, *found.organisations, *found.parties(), *standing.record.parties, "hub"}
    return render(
        pages.AgreementPage(
            agreement=found,
            organisations=tuple(name_of_slug(hub, slug) for slug in found.organisations),
            controllers=tuple(name_of_slug(hub, slug) for slug in found.controllers),
            on=today(hub),
            contracts=overview.contracts(
                hub,
                me(),
                {terms.contract for terms in found.datasets},
                {terms.contract: found.publishers_of(terms.contract) for terms in found.datasets},
            ),
            publishers={slug: name_of_slug(hub, slug) for slug in slugs},
            plugins=plugin_titles(hub),
            standing=standing,
            form=EmptyForm(),
            request=_request(hub, found.request),
        )
    )


def _request(hub: Hub, request_id: str) -> str:
    """The access request that an agreement answers, when the reader may see it."""
    from hub.workflows import requesting

    return request_id if request_id and requesting.exists_for(hub, me(), request_id) else ""


def agreement_step(hub: Hub, agreement_id: str) -> Any:
    """Hand a draft in, or begin its next version."""
    form = EmptyForm()
    if not form.validate_on_submit():
        raise Invalid("This page was open for too long. Go back, load it anew, and try again.")
    if request.form.get("act") == "edit":
        begun = drafting.begin(hub, me(), next_of=agreement_id)
        return redirect(url_for("web.agreement_draft", draft_id=begun.id), 303)
    agreeing.change(hub, me(), agreement_id, "submit")
    flash("The agreement is in review. Another data steward approves it or hands it back.")
    return redirect(url_for("web.agreement", agreement_id=agreement_id), 303)


def agreement_review(hub: Hub, agreement_id: str) -> Any:
    """What an agreement would change; approve it, or hand it back."""
    other = request.args.get("with") or ""
    new, old, found = agreeing.compare(hub, me(), agreement_id, other)
    standing = agreeing.standing(hub, me(), agreement_id)
    if new.state != "in review":
        return redirect(url_for("web.agreement", agreement_id=agreement_id), 303)
    form = ReviewForm()
    if form.validate_on_submit():
        try:
            done = agreeing.change(hub, me(), agreement_id, form.decision.data, form.reason.data or "")
        except (Forbidden, Conflict, Invalid) as error:
            form.decision.errors = [clean(error.detail)]
        else:
            flash(
                "Approved. It waits for signatures."
                if done.state == "agreed"
                else "Handed back to its authors."
            )
            return redirect(url_for("web.agreement", agreement_id=agreement_id), 303)
    seen = [item for item in agreeing.list_agreements(hub, me()) if item.id != agreement_id]
    page = pages.ReviewPage(
        agreement=new, other=old, others=tuple((item.id, item.title) for item in seen), differences=tuple(found),
        authors=tuple(standing.people.get(item, item) for item in standing.record.authors),
        must_sign=tuple(name_of_slug(hub, slug) for slug in new.parties()),
        form=form, mine="approve" not in standing.acts,
    )  # fmt: skip
    return render(page, 422 if form.errors else 200)


def agreement_sign(hub: Hub, agreement_id: str) -> Any:
    """Say who signs, fetch the statement, hand the signature in."""
    standing = agreeing.standing(hub, me(), agreement_id)
    if "sign" not in standing.acts:
        return redirect(url_for("web.agreement", agreement_id=agreement_id), 303)
    waiting = [slug for slug in _unsigned(hub, standing) if signing.may_hand_in(me(), slug)]
    form = SignatureForm().offer([(slug, name_of_slug(hub, slug)) for slug in waiting])
    statement = ""
    if form.validate_on_submit():
        who = form.organisation.data, form.signer.data
        try:
            statement = signing.statement(hub, me(), agreement_id, *who).text
            if request.form.get("act") == "download":
                return _file(statement, f"statement-{agreement_id}-{who[0]}.json")
            if form.signature.data:
                done = signing.sign(hub, me(), agreement_id, *who, form.signature.data)
                force = " It is in force now." if done.state == "active" else " Others have to sign yet."
                flash(f"Signed for {name_of_slug(hub, who[0])}.{force}")
                return redirect(url_for("web.agreement", agreement_id=agreement_id), 303)
            if request.form.get("act") == "send":
                form.signature.errors = ["Enter the signature"]
        except Invalid as error:
            field = form.signer if "signer" in error.fields else form.signature
            field.errors = [clean(error.detail)]
        except (Conflict, Forbidden) as error:
            form.organisation.errors = [clean(error.detail)]
    page = pages.SignPage(agreement=standing.agreement, form=form, statement=statement)
    return render(page, 422 if form.errors else 200)


def _unsigned(hub: Hub, standing: agreeing.Standing) -> list[str]:
    """Everybody who has not signed and is an organisation of this hub, those whose signature is awaited first."""
    known = {item.slug for item in organisations(hub, me()).values()}
    signed = standing.agreement.signed_by or frozenset()
    rest = [slug for slug in standing.agreement.parties() if slug in known and slug not in signed]
    return list(dict.fromkeys([*standing.missing, *rest]))


def _file(text: str, name: str) -> Response:
    return Response(
        text.encode(), content_type="application/json; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )  # fmt: skip


def agreement_withdraw(hub: Hub, agreement_id: str) -> Any:
    """End an agreement, after a reason."""
    standing = agreeing.standing(hub, me(), agreement_id)
    if "withdraw" not in standing.acts:
        return redirect(url_for("web.agreement", agreement_id=agreement_id), 303)
    form = WithdrawForm()
    if form.validate_on_submit():
        agreeing.change(hub, me(), agreement_id, "withdraw", form.reason.data)
        flash("The agreement has ended. Nothing can be read under it any more.")
        return redirect(url_for("web.agreement", agreement_id=agreement_id), 303)
    return render(pages.WithdrawPage(agreement=standing.agreement, form=form), 422 if form.errors else 200)


def agreement_explain(hub: Hub) -> Any:
    """Why something is allowed or refused, check by check."""
    names = [(item.slug, item.name) for item in organisations(hub, me()).values()]
    form = ExplainForm(request.args if request.args else None).offer(
        _OPERATIONS, sorted(names, key=lambda item: item[1])
    )
    if not request.args or not form.validate():
        return render(pages.ExplainPage(form=form), 422 if form.errors else 200)
    columns = frozenset(item.strip() for item in (form.columns.data or "").split(",") if item.strip())
    asked = Asked(
        form.operation.data, form.contract.data or "", form.organisation.data, today(hub), columns,
        plugin=form.plugin.data or "", publisher=form.publisher.data or "",
    )  # fmt: skip
    decision, explained = agreeing.explain_fully(hub, me(), asked)
    titles = {item.id: item.title for item in agreeing.list_agreements(hub, me())}
    return render(pages.ExplainPage(form=form, decision=decision, explained=tuple(explained), titles=titles))


def agreement_keys(hub: Hub) -> Any:
    """The signing keys; register another."""
    form = _key_form(hub)
    if form is not None and form.validate_on_submit():
        try:
            key = signing.add_key(
                hub, me(), form.organisation.data, form.public_key.data or "", form.name.data or ""
            )
        except (Invalid, Conflict, NotFound) as error:
            form.public_key.errors = [clean(error.detail)]
        else:
            flash(f"Registered. Somebody else approves it and compares the fingerprint: {key.fingerprint}.")
            return redirect(url_for("web.agreement_keys"), 303)
    page = pages.SigningKeysPage(
        keys=tuple(_key_line(hub, item) for item in signing.list_keys(hub, me())), form=form
    )
    return render(page, 422 if form is not None and form.errors else 200)


def _key_form(hub: Hub) -> KeyForm | None:
    """For those who may register keys, of the organisations for which they may."""
    if not i_may(Permission.MANAGE_SIGNING_KEYS):
        return None
    mine = [item for item in organisations(hub, me()).values() if signing.may_register(me(), item.slug)]
    return KeyForm().offer(sorted(((item.slug, item.name) for item in mine), key=lambda item: item[1]))


def _key_line(hub: Hub, key: SigningKey) -> pages.KeyLine:
    mine = i_may(Permission.MANAGE_SIGNING_KEYS) and signing.may_register(me(), key.organisation)
    return pages.KeyLine(
        key, name_of_slug(hub, key.organisation),
        mine and key.state == "waiting" and not signing.may_approve(me(), key),
        mine and key.state in ("waiting", "active"),
    )  # fmt: skip


def agreement_key(hub: Hub, key_id: str, act: str) -> Any:
    """Approve or revoke a key."""
    if not EmptyForm().validate_on_submit():
        raise Invalid("This page was open for too long. Go back, load it anew, and try again.")
    acts = {
        "approve": lambda: signing.approve_key(hub, me(), key_id),
        "revoke": lambda: signing.revoke_key(hub, me(), key_id),
        "compromised": lambda: signing.revoke_key(hub, me(), key_id, compromised=True),
    }
    if act not in acts:
        raise NotFound("There is no such page.")
    try:
        key = acts[act]()
    except HubError as error:
        if isinstance(error, NotFound):
            raise
        flash(clean(error.detail))
    else:
        flash(f"The key of {name_of_slug(hub, key.organisation)} is {key.state} now.")
    return redirect(url_for("web.agreement_keys"), 303)


VIEWS = {
    "agreements": agreements, "agreement": agreement, "agreement_step": agreement_step,
    "agreement_review": agreement_review, "agreement_sign": agreement_sign, "agreement_withdraw": agreement_withdraw,
    "agreement_explain": agreement_explain, "agreement_keys": agreement_keys, "agreement_key": agreement_key,
}  # fmt: skip
