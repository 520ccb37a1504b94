"""Who finds a dataset; how the catalogue finds, sorts and describes it.

Every dataset there is gets an entry with what SQL can say of it; `hub.catalogue.entries.refresh`, which runs after the
steps of an upgrade, makes it whole from the contract.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "datasets", sa.Column("visibility", sa.String(length=16), server_default="listed", nullable=False)
    )
    key = sa.String(length=200).with_variant(sa.String(length=200, collation="C"), "postgresql")
    op.create_table(
        "dataset_entries",
        sa.Column("dataset_id", sa.String(length=40), nullable=False),
        sa.Column("form", sa.Integer(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("title_key", key, nullable=False),
        sa.Column("publisher_key", key, nullable=False),
        sa.Column("domain", sa.String(length=200), nullable=False),
        sa.Column("sensitivity", sa.String(length=20), nullable=False),
        sa.Column("frequency", sa.String(length=20), nullable=False),
        sa.Column("described", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name=op.f("fk_dataset_entries_dataset_id_datasets")
        ),
        sa.PrimaryKeyConstraint("dataset_id", name=op.f("pk_dataset_entries")),
    )
    op.create_index(op.f("ix_dataset_entries_title_key"), "dataset_entries", ["title_key"])
    op.execute(
        "INSERT INTO dataset_entries (dataset_id, form, words, title_key, publisher_key, domain, sensitivity, "
        "frequency, described, record, changed_at) "
        "SELECT d.id, 0, ' ' || lower(d.title) || ' ', substr(lower(d.title), 1, 200), "
        "substr(lower(o.name), 1, 200), '', 'special-category', '', '{}', '{}', d.created_at "
        "FROM datasets d JOIN organisations o ON o.id = d.organisation_id"
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_dataset_entries_title_key"), table_name="dataset_entries")
    op.drop_table("dataset_entries")
    op.drop_column("datasets", "visibility")
