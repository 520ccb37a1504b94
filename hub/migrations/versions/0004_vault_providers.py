"""Root keys and how far their rotation is; removed objects; keys that clients had before.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "vault_roots",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_vault_roots")),
    )
    with op.batch_alter_table("vault_roots", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_vault_roots_state"), ["state"], unique=False)

    with op.batch_alter_table("vault_files", schema=None) as batch_op:
        batch_op.add_column(sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True))

    op.create_table(
        "client_keys",
        sa.Column("client_id", sa.String(length=40), nullable=False),
        sa.Column("thumbprint", sa.String(length=64), nullable=False),
        sa.Column("signing_key", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_client_keys_client_id")),
        sa.PrimaryKeyConstraint("client_id", "thumbprint", name=op.f("pk_client_keys")),
    )


def downgrade() -> None:
    op.drop_table("client_keys")
    with op.batch_alter_table("vault_files", schema=None) as batch_op:
        batch_op.drop_column("removed_at")

    with op.batch_alter_table("vault_roots", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_vault_roots_state"))

    op.drop_table("vault_roots")
