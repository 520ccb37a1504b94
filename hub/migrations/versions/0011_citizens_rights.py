"""People's rights: requests, codes, restrictions, corrections, copies, delays, and what opt-outs took out of runs.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_NEWEST_FIRST = (
    "run_opt_outs", "entry_delays", "rights_copies", "rights_corrections", "restrictions", "citizen_sessions",
    "rights_codes", "rights_requests",
)  # fmt: skip


def _text(name: str, length: int | None = None, *, null: bool = False) -> sa.Column:
    return sa.Column(name, sa.String(length=length) if length else sa.Text(), nullable=null)


def _moment(name: str, *, null: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null)


def _of_request(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["request_id"], ["rights_requests.id"], name=op.f(f"fk_{table}_request_id")
    )


def _index(table: str, *columns: str) -> None:
    with op.batch_alter_table(table, schema=None) as batch_op:
        for column in columns:
            batch_op.create_index(batch_op.f(f"ix_{table}_{column}"), [column], unique=False)


def upgrade() -> None:
    _requests()
    _visits()
    _about_requests()
    op.create_table(
        "entry_delays",
        _text("id", 40), _text("organisation", 64), _text("subjects"), _moment("since"), _moment("until"),
        _text("state", 16), _text("reason"), _text("asked_by", 64), _moment("asked_at"),
        _text("decided_by", 64, null=True), _moment("decided_at", null=True), _moment("ended_at", null=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entry_delays")),
    )  # fmt: skip
    _index("entry_delays", "organisation", "state")
    op.create_table(
        "run_opt_outs",
        _text("run_id", 40), _text("inputs"), _text("lists"), _text("rows", 40), _moment("noted_at"),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run_opt_outs")),
    )  # fmt: skip


def _requests() -> None:
    op.create_table(
        "rights_requests",
        _text("id", 40), _text("kind", 16), _text("subject", 64), _text("person"), _text("state", 16),
        _text("organisation", 64), _text("opened_by", 64), _moment("opened_at"), _text("received_on", 10),
        _text("due_on", 10), _text("wish"), _text("agreement_id", 64, null=True), _text("handled_by", 64, null=True),
        _moment("extended_at", null=True), _text("extension_reason", null=True), _moment("answered_at", null=True),
        _text("answer", null=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rights_requests")),
    )  # fmt: skip
    _index("rights_requests", "subject", "state", "organisation", "due_on")


def _visits() -> None:
    op.create_table(
        "rights_codes",
        _text("code_hash", 64), _text("subject", 64), _text("person"), _text("born"), _text("organisation", 64),
        _text("made_by", 64), _moment("made_at"), _moment("expires_at"),
        sa.Column("attempts", sa.Integer(), nullable=False), _moment("used_at", null=True),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_rights_codes")),
    )  # fmt: skip
    _index("rights_codes", "subject")
    op.create_table(
        "citizen_sessions",
        _text("token_hash", 64), _text("subject", 64), _text("person"), _text("organisation", 64),
        _moment("began_at"), _moment("expires_at"),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_citizen_sessions")),
    )  # fmt: skip
    _index("citizen_sessions", "expires_at")


def _about_requests() -> None:
    op.create_table(
        "restrictions",
        _text("id", 40), _text("request_id", 40), _text("subject", 64), _text("person"),
        _text("agreement_id", 64, null=True), _moment("began_at"), _text("began_by", 64),
        _moment("ended_at", null=True), _text("ended_by", 64, null=True), _of_request("restrictions"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_restrictions")),
    )  # fmt: skip
    _index("restrictions", "request_id", "subject")
    op.create_table(
        "rights_corrections",
        _text("id", 40), _text("request_id", 40), _text("dataset_id", 40), _text("version_id", 40),
        _text("organisation_id", 40), _text("content"), _text("state", 16), _moment("sent_at"), _text("sent_by", 64),
        _moment("decided_at", null=True), _text("decided_by", 64, null=True), _text("reason", null=True),
        _text("found_in", 40, null=True), _of_request("rights_corrections"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rights_corrections")),
    )  # fmt: skip
    _index("rights_corrections", "request_id", "dataset_id", "organisation_id", "state")
    op.create_table(
        "rights_copies",
        _text("request_id", 40), _text("owner", 64), _text("object_key", 200), _text("sources"), _text("contents"),
        sa.Column("size", sa.Integer(), nullable=False), _moment("made_at"), _text("made_by", 64),
        _moment("given_at", null=True), _moment("expires_at"), _moment("destroyed_at", null=True),
        _of_request("rights_copies"),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_rights_copies")),
        sa.UniqueConstraint("owner", name=op.f("uq_rights_copies_owner")),
    )  # fmt: skip


def downgrade() -> None:
    for table in _NEWEST_FIRST:
        op.drop_table(table)
