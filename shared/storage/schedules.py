"""Schedules: which tick of a job was claimed, until when, and when the job was last done. Shared by all workers."""

from datetime import datetime

from shared.domain.rate import MAX_AHEAD
from shared.domain.schedule import ScheduleState
from shared.domain.times import EPOCH
from shared.storage.engine import OnEngine
from shared.storage.rows import schedule_of

_NEVER = EPOCH
"""Stands for "not yet" where two states are compared, on both databases."""


class Schedules(OnEngine):
    """The schedule methods of the storage."""

    async def schedule_state(self, job: str) -> ScheduleState:
        row = await self._engine.fetchrow(
            "SELECT job, done_at, claimed_for, claimed_until FROM schedules WHERE job = $1", job
        )
        return schedule_of(row or (job, None, None, None))

    async def claim_tick(self, state: ScheduleState, *, due: datetime, until: datetime) -> bool:
        """The row's lock makes concurrent claimers take turns, and the second one sees the first one's claim."""
        claimed = await self._engine.execute(
            """
            INSERT INTO schedules (job, claimed_for, claimed_until) VALUES ($1, $2, $3)
            ON CONFLICT (job) DO UPDATE
                SET claimed_for = excluded.claimed_for, claimed_until = excluded.claimed_until
                WHERE coalesce(schedules.claimed_for, $7) = $4
                    AND coalesce(schedules.claimed_until, $7) = $5
                    AND coalesce(schedules.done_at, $7) = $6
            """,
            state.job,
            due,
            until,
            state.claimed_for or _NEVER,
            state.claimed_until or _NEVER,
            state.done_at or _NEVER,
            _NEVER,
        )
        return claimed == 1

    async def finish_tick(self, job: str, *, now: datetime, done_at: datetime | None) -> None:
        await self._engine.execute(
            """
            INSERT INTO schedules (job, done_at, claimed_until) VALUES ($1, $2, $3)
            ON CONFLICT (job) DO UPDATE SET
                claimed_until = excluded.claimed_until,
                done_at = CASE
                    WHEN excluded.done_at IS NULL THEN schedules.done_at
                    WHEN schedules.done_at > excluded.done_at AND schedules.done_at <= $4 THEN schedules.done_at
                    ELSE excluded.done_at
                END
            """,
            job,
            done_at,
            now,
            now + MAX_AHEAD,
        )
