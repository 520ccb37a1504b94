"""Tables of plugins, schedules, runs and results."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Float, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.database import Base


class PluginRow(Base):
    """A plugin as its sandboxed worker described it."""

    __tablename__ = "plugins"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    version: Mapped[str] = mapped_column(String(50))
    distribution: Mapped[str] = mapped_column(String(200))
    digest: Mapped[str] = mapped_column(String(64))
    manifest: Mapped[str] = mapped_column(Text)
    enabled: Mapped[bool]
    registered_at: Mapped[datetime]


class ScheduleRow(Base):
    """When a plugin runs, under which agreement and with which parameters."""

    __tablename__ = "schedules"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    plugin: Mapped[str] = mapped_column(ForeignKey("plugins.name"))
    agreement_id: Mapped[str] = mapped_column(ForeignKey("agreements.id"))
    cron: Mapped[str] = mapped_column(String(100))
    parameters: Mapped[str] = mapped_column(Text)
    enabled: Mapped[bool]
    created_by: Mapped[str] = mapped_column(String(64))
    organisation: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    first_at: Mapped[datetime | None]
    paused_because: Mapped[str | None] = mapped_column(Text)


class RunRow(Base):
    """One run of a plugin, with everything needed to do it again."""

    __tablename__ = "runs"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    schedule_id: Mapped[str | None] = mapped_column(ForeignKey("schedules.id"), index=True)
    plugin: Mapped[str] = mapped_column(ForeignKey("plugins.name"), index=True)
    plugin_version: Mapped[str] = mapped_column(String(50))
    plugin_digest: Mapped[str] = mapped_column(String(64))
    agreement_id: Mapped[str] = mapped_column(ForeignKey("agreements.id"))
    organisation: Mapped[str] = mapped_column(String(64))
    requested_by: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16), index=True)
    parameters: Mapped[str] = mapped_column(Text)
    seed: Mapped[int]
    as_at: Mapped[str] = mapped_column(String(10))
    inputs: Mapped[str | None] = mapped_column(Text)  # JSON: input name -> version ids
    isolation: Mapped[str | None] = mapped_column(String(16))
    message: Mapped[str | None] = mapped_column(Text)
    log: Mapped[str] = mapped_column(Text)
    progress: Mapped[float] = mapped_column(Float)
    seconds: Mapped[float | None] = mapped_column(Float)
    queued_at: Mapped[datetime] = mapped_column(index=True)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    attempts: Mapped[int]


class ResultRow(Base):
    """What a run made: encrypted tables and a report, held until someone else than its author releases it."""

    __tablename__ = "results"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), unique=True)
    state: Mapped[str] = mapped_column(String(16), index=True)
    tables: Mapped[str] = mapped_column(Text)  # JSON: name -> object, rows, disclosure, checks
    report: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]
    decided_by: Mapped[str | None] = mapped_column(String(64))
    decided_at: Mapped[datetime | None]
    note: Mapped[str | None] = mapped_column(Text)
