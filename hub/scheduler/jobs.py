"""APScheduler's jobs in the hub's database, as names and times.

APScheduler pickles its jobs, so whoever can write their table could run code in the process that has the keys. Here a
job is its schedule's id, cron line and next time, as JSON; all else about it stands in the program.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

from apscheduler.job import Job
from apscheduler.jobstores.base import ConflictingIdError, JobLookupError
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.util import datetime_to_utc_timestamp
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from hub.errors import HubError
from hub.scheduler.times import cron_of, cron_trigger

__all__ = ["Jobs"]

#: How every job is run: once for all the times that were missed, if the last of them is not an hour ago.
_ALWAYS: Final[dict[str, Any]] = {"coalesce": True, "misfire_grace_time": 3600, "max_instances": 1}
_FIRED: Final = "hub.scheduler.leader:fire"


class Jobs(SQLAlchemyJobStore):  # type: ignore[misc]
    """The job store of the hub named `origin`, whose cron lines are read in a time zone."""

    def __init__(self, engine: Engine, origin: str, timezone: str) -> None:
        super().__init__(engine=engine, tablename="scheduler_jobs")
        self._origin, self._timezone = origin, timezone

    def described(self, schedule_id: str, stamp: str) -> dict[str, Any]:
        """What `BackgroundScheduler.add_job` needs for a schedule, `stamp` as of `hub.scheduler.times.stamp_of`.

        Raises:
            Invalid: when the cron line cannot be followed.
        """
        trigger = cron_trigger(cron_of(stamp), self._timezone)
        return {
            "func": _FIRED, "trigger": trigger, "args": [self._origin, schedule_id], "id": schedule_id, "name": stamp,
            **_ALWAYS,
        }  # fmt: skip

    def lookup_job(self, job_id: str) -> Job | None:
        """The job of a schedule; none where what stands there cannot be read."""
        try:
            return super().lookup_job(job_id)
        except (ValueError, TypeError, KeyError, HubError):
            return None

    def add_job(self, job: Job) -> None:
        """Keep a job.

        Raises:
            ConflictingIdError: when there is one for the schedule.
        """
        with self.engine.begin() as connection:
            try:
                connection.execute(self.jobs_t.insert().values(id=job.id, **self._row(job)))
            except IntegrityError:
                raise ConflictingIdError(job.id) from None

    def update_job(self, job: Job) -> None:
        """Keep a job's next time.

        Raises:
            JobLookupError: when there is none for the schedule.
        """
        update = self.jobs_t.update().values(**self._row(job)).where(self.jobs_t.c.id == job.id)
        with self.engine.begin() as connection:
            if connection.execute(update).rowcount == 0:
                raise JobLookupError(job.id)

    @staticmethod
    def _row(job: Job) -> dict[str, Any]:
        due = job.next_run_time
        state = {"id": job.id, "stamp": job.name, "next": due.isoformat() if due else None}
        return {"next_run_time": datetime_to_utc_timestamp(due), "job_state": json.dumps(state).encode()}

    def _reconstitute_job(self, job_state: bytes) -> Job:
        """The job; one that cannot be read is removed by APScheduler, and made again from its schedule."""
        state = json.loads(job_state)
        due = datetime.fromisoformat(state["next"]) if state["next"] else None
        job = Job.__new__(Job)
        job.__setstate__(
            {
                "version": 1, "executor": "default", "kwargs": {}, "next_run_time": due,
                **self.described(str(state["id"]), str(state["stamp"])),
            }
        )  # fmt: skip
        job._scheduler, job._jobstore_alias = self._scheduler, self._alias
        return job
