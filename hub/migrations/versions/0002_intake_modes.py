"""Modes, replays and retries of deliveries; decided deliveries lose the key material of their manifests.

Revision ID: 0002
Revises: 0001
"""

import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_DECIDED = ("accepted", "refused", "failed")


def upgrade() -> None:
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.add_column(sa.Column("mode", sa.String(length=16), server_default="full", nullable=False))
        batch_op.add_column(sa.Column("replays", sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column("manifest_digest", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("replayed", sa.BigInteger(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("checked", sa.BigInteger(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("effect", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("open_rows", sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column("made_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("put_off", sa.Integer(), server_default="0", nullable=False))
        batch_op.create_index(batch_op.f("ix_deliveries_replays"), ["replays"], unique=False)
    _strip_key_material()


def _strip_key_material() -> None:
    """Sealed data keys in old manifests would open files whose own keys were destroyed."""
    connection = op.get_bind()
    table = sa.table(
        "deliveries", sa.column("id"), sa.column("manifest"), sa.column("manifest_digest"), sa.column("state")
    )
    ids = list(connection.scalars(sa.select(table.c.id)))
    for delivery_id in ids:
        text, state = connection.execute(
            sa.select(table.c.manifest, table.c.state).where(table.c.id == delivery_id)
        ).one()
        values = {"manifest_digest": hashlib.sha256(text.encode()).hexdigest()}
        if state in _DECIDED:
            manifest = json.loads(text)
            for file in manifest["files"]:
                file.pop("key_material", None)
            values["manifest"] = json.dumps(manifest, sort_keys=True, ensure_ascii=False)
        connection.execute(sa.update(table).where(table.c.id == delivery_id).values(**values))


def downgrade() -> None:
    op.drop_index("ix_deliveries_replays", table_name="deliveries")
    for name in (
        "put_off", "retry_at", "made_at", "open_rows", "effect", "checked", "replayed", "manifest_digest", "replays",
        "mode",
    ):  # fmt: skip
        op.drop_column("deliveries", name)
