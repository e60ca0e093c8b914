"""Allowances: the budget and breaker of each source, as one versioned value that is replaced whole."""

from pydantic import TypeAdapter

from shared.domain.allowance import Allowance
from shared.storage.engine import OnEngine

_STATE = TypeAdapter(Allowance)
_FIRST = """
    INSERT INTO allowances (source, version, state)
    SELECT $1, CAST($2 AS bigint) + 1, $3 WHERE set_config('synchronous_commit', 'off', true) = 'off'
    ON CONFLICT DO NOTHING
"""
_NEXT = """
    UPDATE allowances SET version = version + 1, state = $3
    WHERE source = $1 AND version = $2 AND set_config('synchronous_commit', 'off', true) = 'off'
"""


class Allowances(OnEngine):
    """The allowance methods of the storage."""

    async def allowance(self, source: str) -> tuple[Allowance, int]:
        row = await self._engine.fetchrow("SELECT state, version FROM allowances WHERE source = $1", source)
        if row is None:
            return Allowance(), 0
        state, version = row
        return _STATE.validate_json(state), version

    async def replace_allowance(self, source: str, allowance: Allowance, *, version: int) -> bool:
        """Compare and set in one statement.

        It stands before every visit to a source, so on PostgreSQL it alone does not wait for the disk. Others see the
        new state at once all the same; a database server that crashes may forget the calls of its last half second,
        and nothing else.
        """
        state = _STATE.dump_json(allowance).decode()
        return await self._engine.execute(_NEXT if version else _FIRST, source, version, state) == 1
