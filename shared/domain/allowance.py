"""What a source may still be asked: calls of the sliding minute, credits of the month, breaker and blocks.

One immutable value per source, kept beside the data and replaced by compare-and-set, so that all processes share it.
Whoever wants to call reserves first; whatever comes of the call is settled afterwards.
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
    """When the calls of the sliding minute were reserved, oldest first; empty where there is no such budget."""
    month: str = ""
    """The UTC month that `credits_spent` belongs to: 2026-11."""
    credits_spent: int = 0
    """0 where there is no such budget."""
    failures: int = 0
    """Failed visits in a row."""
    open_until: datetime | None = None
    """The breaker lets nobody through before; then one probe."""
    pause: timedelta = FIRST_PAUSE
    """How long the breaker stays open after the next failure."""
    blocked_until: datetime | None = None
    blocked_because: str = ""

    def reserve(
        self, *, now: datetime, credits: int, calls_per_minute: int, credits_per_month: int
    ) -> "Allowance":
        """The state with one more call of `credits`. Limits of 0 are none.

        Raises SourceBlocked, BreakerOpen or BudgetSpent, each with the seconds after which it may work. A call that
        passes while the breaker has failures to its name is the probe: until it is settled, or a pause has passed, it
        is alone. Without budgets and failures nothing changes, so nothing needs to be stored.
        """
        self._refuse(now)
        calls = self._calls_with(now, calls_per_minute)
        spent = self._credits_with(credits, now, credits_per_month)
        reserved = replace(
            self.unblocked(),
            calls=calls,
            credits_spent=spent,
            month=_month(now) if credits_per_month else "",
        )
        if not self.is_on_probation:
            return reserved
        pause = min(self.pause * 2, LONGEST_PAUSE)
        return replace(reserved, pause=pause, open_until=now + pause)

    def require(
        self, *, now: datetime, calls: int, credits: int, calls_per_minute: int, credits_per_month: int
    ) -> None:
        """Raises as `reserve` does where so many calls, of so many credits together, cannot all be made now. So who
        needs them all spends nothing where some of them would be refused."""
        self._refuse(now)
        self._calls_with(now, calls_per_minute, calls)
        self._credits_with(credits, now, credits_per_month)

    def succeeded(self, *, reserved: int, spent: int, reserved_at: datetime) -> "Allowance":
        """After an answer: breaker closed, and the credits corrected to what the source says it cost.

        A block stays: this answer may have been on its way when another call was told to stop.
        """
        corrected = self._corrected(spent - reserved, reserved_at)
        return replace(corrected, failures=0, open_until=None, pause=FIRST_PAUSE)

    def failed(self, *, now: datetime) -> "Allowance":
        """After a visit that failed in transport or brought nonsense. Calls that were under way when the breaker opened
        prolong the pause but do not double it; only a probe does."""
        failures = self.failures + 1
        if failures < FAILURES_TO_OPEN:
            return replace(self, failures=failures)
        return replace(self, failures=failures, open_until=now + self.pause)

    def refunded(self, *, credits: int, reserved_at: datetime) -> "Allowance":
        """After a call that the source does not bill: failed calls cost nothing."""
        return self._corrected(-credits, reserved_at)

    def blocked(self, *, until: datetime, because: str) -> "Allowance":
        """After an answer that says when, or that nothing will work before somebody acts. Never shortens a block."""
        if self.blocked_until and self.blocked_until >= until:
            return self
        return replace(self, blocked_until=until, blocked_because=because)

    def unblocked(self) -> "Allowance":
        return replace(self, blocked_until=None, blocked_because="")

    def spent_in(self, now: datetime) -> int:
        """Credits spent in the month of `now`."""
        return self.credits_spent if self.month == _month(now) else 0

    def credits_left(self, *, now: datetime, limit: int) -> int:
        return max(0, limit - self.spent_in(now))

    def calls_left(self, *, now: datetime, limit: int) -> int:
        return max(0, limit - len(self._calls_at(now)))

    @property
    def is_on_probation(self) -> bool:
        """Whether the breaker has been open, and no good answer has closed it since."""
        return self.failures >= FAILURES_TO_OPEN

    def is_closed(self, now: datetime) -> bool:
        """Whether the breaker is open or the source is blocked."""
        return any(until is not None and now < until for until in (self.blocked_until, self.open_until))

    def poll_interval(self, *, now: datetime, credits: int, credits_per_month: int) -> timedelta:
        """The shortest interval between polls of `credits` with which the month's credits last; 0 without a budget."""
        if not credits_per_month or not credits:
            return timedelta(0)
        polls_left = (credits_per_month - self.spent_in(now)) * POLLS_SHARE / credits
        rest = next_month(now) - now
        return rest / polls_left if polls_left >= 1 else rest

    def _refuse(self, now: datetime) -> None:
        """Raises SourceBlocked or BreakerOpen while either holds."""
        if self.blocked_until and now < self.blocked_until:
            raise SourceBlocked(self.blocked_because, retry_after=_seconds(self.blocked_until - now))
        if self.open_until and now < self.open_until:
            raise BreakerOpen(retry_after=_seconds(self.open_until - now))

    def _calls_with(self, now: datetime, limit: int, more: int = 1) -> tuple[datetime, ...]:
        if not limit:
            return ()
        if more > limit:
            raise BudgetSpent(
                f"The budget of {limit} calls per minute is less than the {more} calls that this takes.",
                retry_after=WINDOW.total_seconds(),
            )
        calls = self._calls_at(now)
        too_many = len(calls) + more - limit
        if too_many > 0:
            raise BudgetSpent(
                f"The budget of {limit} calls per minute is spent."
                if more == 1
                else f"Of the budget of {limit} calls per minute less than the {more} calls are left that this takes.",
                retry_after=_seconds(calls[too_many - 1] + WINDOW - now),
            )
        return (*calls, *(more * (now,)))

    def _calls_at(self, now: datetime) -> list[datetime]:
        """Clocks of several machines differ, so calls that lie a little ahead count too; a clock that was far ahead and
        was put right does not lock anybody out."""
        return sorted(call for call in self.calls if abs(call - now) < WINDOW)

    def _credits_with(self, credits: int, now: datetime, limit: int) -> int:
        if not limit:
            return 0
        spent = self.spent_in(now) + credits
        if spent > limit:
            raise BudgetSpent(
                f"The budget of {limit} credits per month is spent.",
                retry_after=_seconds(next_month(now) - now),
            )
        return spent

    def _corrected(self, credits: int, reserved_at: datetime) -> "Allowance":
        """Credits reserved in a month that is over no longer matter; without a budget none were counted."""
        if not credits or self.month != _month(reserved_at):
            return self
        return replace(self, credits_spent=max(0, self.credits_spent + credits))


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
