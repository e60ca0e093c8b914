"""Schedules: which tick of a job was claimed, until when, and when the job was last done. Shared by all workers."""

from datetime import datetime

from shared.domain.schedule import ScheduleState
from shared.storage.engine import OnEngine
from shared.storage.rows import schedule_of


class Schedules(OnEngine):
    """The schedule methods of the storage."""

    async def schedule_state(self, job: str) -> ScheduleState:
        row = await self._engine.fetchrow(
            "SELECT job, done_at, claimed_for, claimed_until FROM schedules WHERE job = $1", job
        )
        return schedule_of(row or (job, None, None, None))

    async def claim_tick(self, job: str, *, due: datetime, now: datetime, until: datetime) -> bool:
        """The row's lock makes concurrent claimers take turns, and the second one sees the first one's claim."""
        claimed = await self._engine.execute(
            """
            INSERT INTO schedules (job, claimed_for, claimed_until) VALUES ($1, $2, $3)
            ON CONFLICT (job) DO UPDATE
                SET claimed_for = excluded.claimed_for, claimed_until = excluded.claimed_until
                WHERE (schedules.claimed_for IS NULL OR schedules.claimed_for < excluded.claimed_for)
                    AND (schedules.claimed_until IS NULL OR schedules.claimed_until <= $4)
            """,
            job,
            due,
            until,
            now,
        )
        return claimed == 1

    async def finish_tick(self, job: str, *, now: datetime, done_at: datetime | None) -> None:
        await self._engine.execute(
            """
            INSERT INTO schedules (job, done_at, claimed_until) VALUES ($1, $2, $3)
            ON CONFLICT (job) DO UPDATE SET
                claimed_until = excluded.claimed_until,
                done_at = CASE
                    WHEN excluded.done_at IS NULL OR schedules.done_at > excluded.done_at THEN schedules.done_at
                    ELSE excluded.done_at
                END
            """,
            job,
            done_at,
            now,
        )
