"""Which people and index belong to one linking; the sorted copies that look-ups read.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "linkings",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("people", sa.String(length=40), nullable=False),
        sa.Column("person_index", sa.String(length=40), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_linkings")),
        sa.UniqueConstraint("people", name=op.f("uq_linkings_people")),
    )
    op.create_table(
        "serving_copies",
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("object_key", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("owner", "name", name=op.f("pk_serving_copies")),
    )
    # A linking made one version of each, in one transaction, so their numbers are the same.
    op.execute(
        "INSERT INTO linkings (id, people, person_index, made_at) "
        "SELECT 'lnk_' || substr(p.id, 5), p.id, i.id, p.accepted_at "
        "FROM versions p JOIN datasets dp ON dp.id = p.dataset_id AND dp.contract = 'hub.people' "
        "JOIN versions i ON i.number = p.number "
        "JOIN datasets di ON di.id = i.dataset_id AND di.contract = 'hub.person_index' "
        "AND di.organisation_id = dp.organisation_id"
    )


def downgrade() -> None:
    # The copies' files stay registered; nothing refers to them any more, and they go with their owners' keys.
    op.drop_table("serving_copies")
    op.drop_table("linkings")
