"""The leading process: keeps APScheduler's jobs in step with the schedules and works off what waits.

Its lease is renewed by a thread of its own, so that a long piece of work does not lose the lead.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import structlog

from hub.errors import Invalid, NotFound
from hub.logs import where_it_broke
from hub.scheduler.times import stamp_of
from hub.storage.database import utc_now
from hub.storage.ids import new_id
from hub.workflows import scheduling, work

if TYPE_CHECKING:
    from apscheduler.schedulers.background import BackgroundScheduler

    from hub.scheduler.jobs import Jobs
    from hub.workflows.hub import Hub

__all__ = ["Leader", "fire"]

_RENEW_SECONDS = 5.0
_TIDY_SECONDS = 3600.0
_PAUSED = 2  # apscheduler.schedulers.base.STATE_PAUSED; APScheduler is imported by who leads
_leaders: dict[str, Leader] = {}  # who leads in this process; the job store keeps names, not objects


def fire(hub_name: str, schedule_id: str) -> None:
    """What APScheduler calls when a schedule is due; jobs are stored by this name and these two words.

    `hub_name` is the hub's own name for itself and not its folder, so that a job stored by one machine is understood by
    the one that takes over.
    """
    leader = _leaders.get(hub_name)
    if leader is None or not leader.leading:
        return  # somebody else leads by now, and keeps the same schedule
    try:
        run = scheduling.trigger(leader.hub, schedule_id)
    except NotFound:
        return
    structlog.get_logger().info("schedule.due", schedule=schedule_id, run=run.id if run else None)


class Leader:
    """Leads a hub when no other process does. `start` returns at once; `stop` ends after the work in hand."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.holder = f"{socket.gethostname()[:30]}:{os.getpid()}:{new_id('w')[-6:]}"
        self._stop = threading.Event()
        self._leading = threading.Event()
        self._log = structlog.get_logger().bind(part="leader")
        self._resign = threading.Event()
        self._leader = threading.Thread(target=self._lead, name="hub-leader", daemon=True)
        self._worker = threading.Thread(target=self._work, name="hub-worker", daemon=True)
        self._scheduler: BackgroundScheduler | None = None
        self._jobs: Jobs
        self._renewed_at = time.monotonic()
        self._tidy_at = time.monotonic() + _RENEW_SECONDS

    def start(self) -> None:
        """Begin to lead as soon as nobody else does."""
        self._leader.start()
        self._worker.start()

    def stop(self) -> None:
        """End: the work in hand is finished first, and led until then; the lease is given back."""
        self._stop.set()
        self._worker.join(timeout=60)
        self._resign.set()
        self._leader.join(timeout=60)
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=True)
            self._scheduler = None
        if self._leading.is_set():
            self._forget()
            work.resign(self.hub, self.holder)

    def _forget(self) -> None:
        """Lead no more; what APScheduler fires from now on is nobody's here."""
        self._leading.clear()
        if _leaders.get(self.hub.audit_origin) is self:
            del _leaders[self.hub.audit_origin]

    def _lose(self) -> None:
        self._forget()
        if self._scheduler is not None:
            self._scheduler.pause()  # the jobs are in the database, and are the new leader's to fire
        self._log.warning("leader.lost", holder=self.holder)

    @property
    def leading(self) -> bool:
        """Whether this process leads now."""
        return self._leading.is_set()

    def _lead(self) -> None:
        while not self._resign.is_set():
            try:
                if work.lead(self.hub, self.holder):
                    self._renewed_at = time.monotonic()
                    if not self._leading.is_set():
                        work.take_back(self.hub)
                        _leaders[self.hub.audit_origin] = self
                        self._leading.set()
                        self._log.info("leader.leads", holder=self.holder)
                elif self._leading.is_set():
                    self._lose()
            except Exception as error:
                self._log.error("leader.error", **where_it_broke(error))
                # The lease is still ours for as long as nobody else can have it: one answer that fails to come
                # must not end work in hand.
                if self._leading.is_set() and time.monotonic() - self._renewed_at > work.LEASE_SECONDS:
                    self._lose()
            self._resign.wait(_RENEW_SECONDS)

    def _work(self) -> None:
        while not self._stop.is_set():
            busy = False
            if self._leading.is_set():
                try:
                    self._keep_schedules()
                    self._tidy()
                    busy = work.work_once(self.hub)
                except (
                    BaseException
                ) as error:  # native code panics with what is no Exception; the worker goes on
                    self._log.error("worker.error", **where_it_broke(error))
                    self._stop.wait(_RENEW_SECONDS)
                    self._recover()
            if not busy:
                self._stop.wait(self.hub.settings.worker_seconds)

    def _tidy(self) -> None:
        if time.monotonic() >= self._tidy_at:
            self._tidy_at = time.monotonic() + _TIDY_SECONDS
            work.tidy(self.hub)

    def _recover(self) -> None:
        """Give back what was in hand when an error kept even its outcome from being written down."""
        if self._leading.is_set():
            try:
                work.take_back(self.hub, survived=True)
            except Exception as error:
                self._log.error("worker.error", **where_it_broke(error))

    def _keep_schedules(self) -> None:
        """Make, change and remove APScheduler's jobs so that they are what the schedules say."""
        if self._scheduler is None:
            self._scheduler = self._make_scheduler()
        elif self._scheduler.state == _PAUSED:
            self._scheduler.resume()
        wanted = {item.id: item for item in scheduling.all_schedules(self.hub)}
        jobs = {job.id: job for job in self._scheduler.get_jobs()}
        for gone in jobs.keys() - wanted.keys():
            self._scheduler.remove_job(gone)
        for schedule_id, schedule in wanted.items():
            job = jobs.get(schedule_id)
            stamp = stamp_of(schedule.cron, schedule.first_at)
            if job is not None and job.name == stamp:
                if job.next_run_time is None and schedule.enabled:
                    job.resume()  # at its next time; what it missed meanwhile stays missed
                elif job.next_run_time is not None and not schedule.enabled:
                    job.pause()
                continue
            if not schedule.enabled:
                if job is not None:
                    self._scheduler.remove_job(schedule_id)
                continue
            try:
                described = self._jobs.described(schedule_id, stamp)
            except Invalid:
                self._log.error("schedule.unreadable", schedule=schedule_id)  # the others go on
                continue
            options: dict[str, Any] = {}
            if schedule.first_at is not None:
                options["next_run_time"] = max(
                    schedule.first_at, utc_now()
                )  # at once, however late we come to it
            self._scheduler.add_job(**described, replace_existing=True, **options)

    def _make_scheduler(self) -> BackgroundScheduler:
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.schedulers.background import BackgroundScheduler

        from hub.scheduler.jobs import Jobs

        engine, timezone = (
            self.hub.database.engine.execution_options(hub_write=True), self.hub.settings.schedule_timezone
        )  # fmt: skip
        self._jobs = Jobs(engine, self.hub.audit_origin, timezone)
        scheduler = BackgroundScheduler(
            jobstores={"default": self._jobs}, executors={"default": ThreadPoolExecutor(1)}, timezone=timezone
        )
        scheduler.start()
        return scheduler
