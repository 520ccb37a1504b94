"""Registrations wait for a second person; clients may have sets of keys.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def _registration() -> list[sa.Column]:
    """Columns of whatever a second person approves; what is there already was approved by being there."""
    return [
        sa.Column("state", sa.String(length=16), server_default="approved", nullable=False),
        sa.Column("registered_by", sa.String(length=64), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(length=64), nullable=True),
    ]


def upgrade() -> None:
    with op.batch_alter_table("organisations", schema=None) as batch_op:
        for column in _registration():
            batch_op.add_column(column)
    with op.batch_alter_table("clients", schema=None) as batch_op:
        for column in _registration():
            batch_op.add_column(column)
        batch_op.add_column(sa.Column("invited_by", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("jwks_url", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("jwks_read_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("jwks_tried_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(sa.text("UPDATE clients SET state = 'revoked' WHERE NOT active"))
    with op.batch_alter_table("enrolments", schema=None) as batch_op:
        batch_op.add_column(sa.Column("invited_by", sa.String(length=64), nullable=True))
    with op.batch_alter_table("client_keys", schema=None) as batch_op:
        batch_op.add_column(sa.Column("since", sa.DateTime(timezone=True), nullable=True))
        batch_op.alter_column("until", existing_type=sa.DateTime(timezone=True), nullable=True)


def downgrade() -> None:
    # A client that waits, or whose keys are a set, would be one without a key for the version before.
    op.execute(sa.text("UPDATE clients SET active = false WHERE state <> 'approved' OR signing_key = ''"))
    op.execute(sa.text("DELETE FROM client_keys WHERE until IS NULL"))
    with op.batch_alter_table("client_keys", schema=None) as batch_op:
        batch_op.alter_column("until", existing_type=sa.DateTime(timezone=True), nullable=False)
        batch_op.drop_column("since")
    with op.batch_alter_table("enrolments", schema=None) as batch_op:
        batch_op.drop_column("invited_by")
    with op.batch_alter_table("clients", schema=None) as batch_op:
        for name in (
            "jwks_tried_at", "jwks_read_at", "jwks_url", "invited_by", "decided_by", "decided_at", "registered_by",
            "state",
        ):  # fmt: skip
            batch_op.drop_column(name)
    with op.batch_alter_table("organisations", schema=None) as batch_op:
        for name in ("decided_by", "decided_at", "registered_by", "state"):
            batch_op.drop_column(name)
