"""What a source may still be asked: calls of the sliding minute, credits of the month, breaker and blocks.

One immutable value per source, kept beside the data and replaced by compare-and-set, so that all processes share it.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from shared.errors import BreakerOpen, BudgetSpent, SourceBlocked

WINDOW = timedelta(seconds=61)
"""The sliding minute and a second: calls reserved a minute apart may reach the source a little closer together."""
FAILURES_TO_OPEN = 5
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(seconds=60)
POLLS_SHARE = 0.9
"""The share of the month's remaining credits that polls may plan with; the rest is for refreshes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """The shared state of one source."""

    calls: tuple[datetime, ...] = ()
    """When the calls of the sliding minute were reserved, oldest first."""
    month: str = ""
    """The UTC month that `credits_spent` belongs to: 2026-11."""
    credits_spent: int = 0
    failures: int = 0
    """Failed visits in a row."""
    open_until: datetime | None = None
    """The breaker lets nobody through before; then one probe."""
    pause: timedelta = FIRST_PAUSE
    """How long the breaker stays open next time."""
    blocked_until: datetime | None = None
    blocked_because: str = ""

    def reserve(
        self, *, now: datetime, credits: int, calls_per_minute: int, credits_per_month: int
    ) -> "Allowance":
        """The state with one more call of `credits`. Limits of 0 are none.

        Raises SourceBlocked, BreakerOpen or BudgetSpent, each with the seconds after which it may work.
        """
        if self.blocked_until and now < self.blocked_until:
            raise SourceBlocked(self.blocked_because, retry_after=_seconds(self.blocked_until - now))
        is_probe = self.failures >= FAILURES_TO_OPEN
        if is_probe and self.open_until and now < self.open_until:
            raise BreakerOpen(retry_after=_seconds(self.open_until - now))
        calls = tuple(call for call in self.calls if call > now - WINDOW)
        if calls_per_minute and len(calls) >= calls_per_minute:
            raise BudgetSpent(
                f"The budget of {calls_per_minute} calls per minute is spent.",
                retry_after=_seconds(calls[-calls_per_minute] + WINDOW - now),
            )
        spent = self.spent_in(now)
        if credits_per_month and spent + credits > credits_per_month:
            raise BudgetSpent(
                f"The budget of {credits_per_month} credits per month is spent.",
                retry_after=_seconds(next_month(now) - now),
            )
        return replace(
            self,
            calls=(*calls, now),
            month=_month(now),
            credits_spent=spent + credits,
            open_until=now + self.pause if is_probe else None,
        )

    def succeeded(self, *, reserved: int, spent: int, now: datetime) -> "Allowance":
        """After an answer: breaker closed, and the credits corrected to what the source says it cost."""
        corrected = max(0, self.spent_in(now) + spent - reserved)
        return replace(
            self,
            month=_month(now),
            credits_spent=corrected,
            failures=0,
            open_until=None,
            pause=FIRST_PAUSE,
            blocked_until=None,
            blocked_because="",
        )

    def failed(self, *, now: datetime) -> "Allowance":
        """After a visit that failed in transport or brought nonsense."""
        failures = self.failures + 1
        if failures < FAILURES_TO_OPEN:
            return replace(self, failures=failures)
        pause = self.pause if failures == FAILURES_TO_OPEN else min(self.pause * 2, LONGEST_PAUSE)
        return replace(self, failures=failures, open_until=now + pause, pause=pause)

    def refunded(self, *, credits: int, now: datetime) -> "Allowance":
        """After a call that the source does not bill: failed calls cost nothing."""
        return replace(self, month=_month(now), credits_spent=max(0, self.spent_in(now) - credits))

    def blocked(self, *, until: datetime, because: str) -> "Allowance":
        """After an answer that says when, or that nothing will work before somebody acts."""
        return replace(self, blocked_until=until, blocked_because=because)

    def unblocked(self) -> "Allowance":
        return replace(self, blocked_until=None, blocked_because="")

    def spent_in(self, now: datetime) -> int:
        """Credits spent in the month of `now`."""
        return self.credits_spent if self.month == _month(now) else 0

    def poll_interval(self, *, now: datetime, credits: int, credits_per_month: int) -> timedelta:
        """The shortest interval between polls of `credits` with which the month's credits last; 0 without a budget."""
        if not credits_per_month or not credits:
            return timedelta(0)
        polls_left = (credits_per_month - self.spent_in(now)) * POLLS_SHARE / credits
        rest = next_month(now) - now
        return rest / polls_left if polls_left >= 1 else rest


def next_month(now: datetime) -> datetime:
    """The first moment of the next UTC month."""
    return datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)


def next_day(now: datetime) -> datetime:
    """The next UTC midnight."""
    return datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)


def _month(now: datetime) -> str:
    return f"{now.year:04d}-{now.month:02d}"


def _seconds(delay: timedelta) -> float:
    return max(0.001, delay.total_seconds())
