"""Allowances: the budget and breaker of each source, as one versioned value that is replaced whole."""

from pydantic import TypeAdapter

from shared.domain.allowance import Allowance
from shared.storage.engine import OnEngine

_STATE = TypeAdapter(Allowance)


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
        replaced = await self._engine.execute(
            """
            INSERT INTO allowances (source, version, state)
            SELECT $1, CAST($2 AS bigint) + 1, $3
            WHERE set_config('synchronous_commit', 'off', true) = 'off'
                AND (CAST($2 AS bigint) = 0 OR EXISTS (SELECT 1 FROM allowances WHERE source = $1))
            ON CONFLICT (source) DO UPDATE SET version = excluded.version, state = excluded.state
                WHERE allowances.version = CAST($2 AS bigint)
            """,
            source,
            version,
            _STATE.dump_json(allowance).decode(),
        )
        return replaced == 1
