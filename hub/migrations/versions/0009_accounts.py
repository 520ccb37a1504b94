"""Second factors, one-time codes, providers' accounts, slowed-down sign-ins; sessions say more of themselves.

Revision ID: 0009
Revises: 0008
"""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "second_factors",
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("last_step", sa.Integer(), nullable=False),
        sa.Column("proposed", sa.Text(), nullable=True),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_second_factors_user_id")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_second_factors")),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_recovery_codes_user_id")),
        sa.PrimaryKeyConstraint("user_id", "code_hash", name=op.f("pk_recovery_codes")),
    )
    op.create_table(
        "password_codes",
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("made_by", sa.String(length=64), nullable=False),
        sa.Column("clears_factor", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_password_codes_user_id")),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_password_codes")),
    )
    op.create_index(op.f("ix_password_codes_user_id"), "password_codes", ["user_id"], unique=False)
    op.create_table(
        "provider_accounts",
        sa.Column("issuer", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("bound_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_provider_accounts_user_id")),
        sa.PrimaryKeyConstraint("issuer", "subject", name=op.f("pk_provider_accounts")),
    )
    op.create_index(op.f("ix_provider_accounts_user_id"), "provider_accounts", ["user_id"], unique=False)
    op.create_table(
        "attempt_pots",
        sa.Column("pot", sa.String(length=64), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("pot", name=op.f("pk_attempt_pots")),
    )
    op.create_table(
        "sign_in_refusals",
        sa.Column("who", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("who", "kind", name=op.f("pk_sign_in_refusals")),
    )
    # Who is signed in stays so: until now there was a password only, and every session was whole.
    _remake_sessions(
        [
            sa.Column("token_hash", sa.String(length=64), nullable=False),
            sa.Column("id", sa.String(length=40), nullable=False),
            sa.Column("user_id", sa.String(length=40), nullable=False),
            sa.Column("stage", sa.String(length=8), nullable=False),
            sa.Column("method", sa.String(length=20), nullable=False),
            sa.Column("device", sa.String(length=80), nullable=False),
            sa.UniqueConstraint("id", name=op.f("uq_user_sessions_id")),
        ],
        lambda row: (
            row | {"id": f"ses_{row['token_hash'][:26]}", "stage": "full", "method": "password", "device": ""}
        ),
    )


def downgrade() -> None:
    # A session that still waits for its second factor must not become a whole one.
    op.execute("DELETE FROM user_sessions WHERE stage <> 'full'")
    _remake_sessions(
        [
            sa.Column("token_hash", sa.String(length=64), nullable=False),
            sa.Column("user_id", sa.String(length=40), nullable=False),
        ],
        lambda row: row,
    )
    for table in (
        "sign_in_refusals", "attempt_pots", "provider_accounts", "password_codes", "recovery_codes", "second_factors",
    ):  # fmt: skip
        op.drop_table(table)


def _remake_sessions(columns: list[Any], fill: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Make the table anew with its few rows (SQLite cannot add columns that are never empty)."""
    moments = [
        sa.Column(name, sa.DateTime(timezone=True), nullable=False) for name in ("created_at", "seen_at")
    ]
    kept = sa.table(
        "user_sessions", sa.column("token_hash"), sa.column("user_id"),
        *(sa.column(item.name, item.type) for item in moments),
    )  # fmt: skip
    rows = [fill(dict(row._mapping)) for row in op.get_bind().execute(sa.select(kept))]
    op.drop_table("user_sessions")
    made = op.create_table(
        "user_sessions",
        *columns,
        *moments,
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_user_sessions_user_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_user_sessions")),
    )
    op.create_index(op.f("ix_user_sessions_user_id"), "user_sessions", ["user_id"], unique=False)
    if rows:
        op.bulk_insert(made, rows)
