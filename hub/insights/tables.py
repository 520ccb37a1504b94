"""Tables of insights: which people and which index were made together, and the copies that look-ups read. Ids only."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.database import Base


class LinkingRow(Base):
    """One linking: the version of the people table and the version of the person index that belong together."""

    __tablename__ = "linkings"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    people: Mapped[str] = mapped_column(String(40), unique=True)
    person_index: Mapped[str] = mapped_column(String(40))
    made_at: Mapped[datetime]


class CopyRow(Base):
    """A sorted copy of an owner's data; all copies of an owner come in one transaction."""

    __tablename__ = "serving_copies"

    owner: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    object_key: Mapped[str] = mapped_column(String(200))
