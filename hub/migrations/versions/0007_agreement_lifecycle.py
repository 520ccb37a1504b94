"""Agreements are reviewed and signed; signing keys, signatures and drafts; schedules say why they are paused.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("agreements", schema=None) as batch_op:
        batch_op.add_column(sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
        batch_op.add_column(sa.Column("authors", sa.Text(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("approved_by", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("parties", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("unsigned", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("note", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("seal", sa.String(length=64), nullable=True))

    # What a second person put into force before signatures were kept stays in force, and says so.
    op.execute("UPDATE agreements SET authors = created_by")
    op.execute("UPDATE agreements SET unsigned = (state = 'active')")
    with op.batch_alter_table("agreements", schema=None) as batch_op:
        for name, kind in (("version", sa.Integer()), ("authors", sa.Text()), ("unsigned", sa.Boolean())):
            batch_op.alter_column(name, existing_type=kind, existing_nullable=False, server_default=None)

    op.create_table(
        "agreement_keys",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("organisation", sa.String(length=64), nullable=False),
        sa.Column("public_key", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("added_by", sa.String(length=64), nullable=False),
        sa.Column("added_for", sa.String(length=64), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(length=64), nullable=True),
        sa.Column("seal", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation"], ["organisations.slug"], name=op.f("fk_agreement_keys_organisation")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agreement_keys")),
        sa.UniqueConstraint("public_key", name=op.f("uq_agreement_keys_public_key")),
    )
    with op.batch_alter_table("agreement_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_agreement_keys_organisation"), ["organisation"], unique=False)

    op.create_table(
        "agreement_signatures",
        sa.Column("agreement_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("organisation", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=40), nullable=False),
        sa.Column("signer", sa.String(length=200), nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("signature", sa.String(length=100), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("seal", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["agreement_id"], ["agreements.id"], name=op.f("fk_agreement_signatures_agreement_id")
        ),
        sa.ForeignKeyConstraint(
            ["key_id"], ["agreement_keys.id"], name=op.f("fk_agreement_signatures_key_id")
        ),
        sa.PrimaryKeyConstraint(
            "agreement_id", "version", "organisation", name=op.f("pk_agreement_signatures")
        ),
    )
    op.create_table(
        "agreement_drafts",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("organisation", sa.String(length=64), nullable=False),
        sa.Column("answers", sa.Text(), nullable=False),
        sa.Column("agreement_id", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("writers", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agreement_drafts")),
    )
    with op.batch_alter_table("agreement_drafts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_agreement_drafts_organisation"), ["organisation"], unique=False)

    with op.batch_alter_table("schedules", schema=None) as batch_op:
        batch_op.add_column(sa.Column("paused_because", sa.Text(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("schedules", schema=None) as batch_op:
        batch_op.drop_column("paused_because")
    op.drop_table("agreement_drafts")
    op.drop_table("agreement_signatures")
    op.drop_table("agreement_keys")
    # The release before knows four states: what is not in force yet is a draft there.
    op.execute("UPDATE agreements SET state = 'draft' WHERE state IN ('in review', 'agreed')")
    with op.batch_alter_table("agreements", schema=None) as batch_op:
        for name in ("seal", "note", "unsigned", "parties", "approved_by", "authors", "version"):
            batch_op.drop_column(name)
