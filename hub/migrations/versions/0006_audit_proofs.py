"""Roots of complete subtrees of the audit log, from which proofs are made; what waits to be sealed is found at once.

Revision ID: 0006
Revises: 0005
"""

from hashlib import sha256

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_WAITING = sa.text("leaf_index IS NULL")
_HEIGHT, _TILE = 8, 256
#: So many hashes are held at once.
_AT_ONCE = 64 * _TILE


def upgrade() -> None:
    subtrees = op.create_table(
        "audit_subtrees",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("place", _ID, autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("level", "place", name=op.f("pk_audit_subtrees")),
    )
    op.create_index(
        "ix_audit_entries_waiting",
        "audit_entries",
        ["id"],
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
    )
    leaves = sa.text(
        "SELECT leaf_index, leaf_hash FROM audit_entries WHERE leaf_index >= :first AND leaf_index < :stop "
        "ORDER BY leaf_index"
    )
    tiles = sa.text(
        "SELECT place, root FROM audit_subtrees WHERE level = :level AND place >= :first AND place < :stop "
        "ORDER BY place"
    )
    level, size = 0, op.get_bind().execute(sa.text("SELECT max(leaf_index) + 1 FROM audit_entries")).scalar()
    while size and size >= _TILE:
        _fill(subtrees, leaves if level == 0 else tiles.bindparams(level=level), level + _HEIGHT, size)
        level, size = level + _HEIGHT, size >> _HEIGHT


def downgrade() -> None:
    op.drop_index("ix_audit_entries_waiting", table_name="audit_entries")
    op.drop_table("audit_subtrees")


def _fill(subtrees: sa.Table, below: sa.TextClause, level: int, size: int) -> None:
    """Keep the root of every whole tile of the `size` nodes below; one with a gap is left out (verifying tells)."""
    connection = op.get_bind()
    for first in range(0, size, _AT_ONCE):
        found = connection.execute(below, {"first": first, "stop": min(size, first + _AT_ONCE)}).all()
        nodes = {place: bytes(root) for place, root in found}
        rows = []
        for start in range(first, min(size, first + _AT_ONCE), _TILE):
            tile = [nodes[place] for place in range(start, start + _TILE) if place in nodes]
            if len(tile) == _TILE:
                rows.append({"level": level, "place": start >> _HEIGHT, "root": _root(tile)})
        if rows:
            op.bulk_insert(subtrees, rows)


def _root(nodes: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1 for 256 nodes."""
    while len(nodes) > 1:
        nodes = [
            sha256(b"\x01" + left + right).digest()
            for left, right in zip(nodes[::2], nodes[1::2], strict=True)
        ]
    return nodes[0]
