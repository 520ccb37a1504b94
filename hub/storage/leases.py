"""Leases: which of several processes does a thing that only one may do at a time."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import String, update
from sqlalchemy.orm import Mapped, mapped_column

from hub.errors import Conflict
from hub.storage.database import Base, Database, utc_now

__all__ = ["hold", "let_go"]


class LeaseRow(Base):
    """Who holds a lease, and until when if it is not renewed."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    holder: Mapped[str] = mapped_column(String(64))
    until: Mapped[datetime]


def hold(database: Database, name: str, holder: str, seconds: float) -> bool:
    """Take or renew a lease; False while another holds it."""
    now = utc_now()
    until = now + timedelta(seconds=seconds)
    with database.write() as session:
        taken = session.execute(
            update(LeaseRow)
            .where(LeaseRow.name == name, (LeaseRow.holder == holder) | (LeaseRow.until <= now))
            .values(holder=holder, until=until)
        )
        if taken.rowcount == 1:
            return True
    try:
        with database.write() as session:
            session.add(LeaseRow(name=name, holder=holder, until=until))
        return True
    except Conflict:
        return False


def let_go(database: Database, name: str, holder: str) -> None:
    """Give a lease back before it ends."""
    with database.write() as session:
        session.execute(
            update(LeaseRow).where(LeaseRow.name == name, LeaseRow.holder == holder).values(until=utc_now())
        )
