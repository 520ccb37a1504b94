"""Contracts belong to organisations; breaking changes of them are proposed.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "publications",
        sa.Column("organisation_id", sa.String(length=40), nullable=False),
        sa.Column("contract", sa.String(length=200), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["digest"], ["contracts.digest"], name=op.f("fk_publications_digest")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_publications_organisation_id")
        ),
        sa.PrimaryKeyConstraint("organisation_id", "contract", "version", name=op.f("pk_publications")),
    )
    with op.batch_alter_table("publications", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_publications_digest"), ["digest"], unique=False)

    op.create_table(
        "proposals",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("dataset_id", sa.String(length=40), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("base", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("proposed_by", sa.String(length=64), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(length=64), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["base"], ["contracts.digest"], name=op.f("fk_proposals_base")),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_proposals_dataset_id")),
        sa.ForeignKeyConstraint(["digest"], ["contracts.digest"], name=op.f("fk_proposals_digest")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposals")),
    )
    with op.batch_alter_table("proposals", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_proposals_dataset_id"), ["dataset_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_proposals_state"), ["state"], unique=False)

    # What was published so far: the contract of each dataset, and that of each of its versions.
    op.execute(
        "INSERT INTO publications (organisation_id, contract, version, digest, published_at) "
        "SELECT d.organisation_id, c.contract, c.version, c.digest, c.created_at FROM contracts c JOIN ("
        "SELECT organisation_id, contract_digest AS digest FROM datasets UNION "
        "SELECT datasets.organisation_id, versions.contract_digest FROM versions "
        "JOIN datasets ON datasets.id = versions.dataset_id) d ON d.digest = c.digest"
    )
    with op.batch_alter_table("contracts", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_contracts_contract_version"), type_="unique")
        batch_op.alter_column("version", type_=sa.String(length=64), existing_nullable=False)


def downgrade() -> None:
    op.drop_table("proposals")
    op.drop_table("publications")
    with op.batch_alter_table("contracts", schema=None) as batch_op:
        batch_op.alter_column("version", type_=sa.String(length=50), existing_nullable=False)
        batch_op.create_unique_constraint(
            batch_op.f("uq_contracts_contract_version"), ["contract", "version"]
        )
