"""Whether a database is for simulated rates or for real ones: they never share one.

A database that has rates already is for the real ones where it holds any of them, so that nobody is told to delete these.
"""  # noqa: INP001 - Alembic loads the steps by their path

from alembic import op

revision = "0002"
down_revision = "0001"

TABLE = """
    CREATE TABLE kind_of_rates (
        id {integer} PRIMARY KEY CHECK (id = 1),
        is_simulated {boolean}
    ) {options}
"""
OF_THOSE_HELD = """
    INSERT INTO kind_of_rates (id, is_simulated)
    SELECT 1, NOT EXISTS (SELECT 1 FROM last_rates WHERE source <> 'simulator')
    WHERE EXISTS (SELECT 1 FROM last_rates)
"""
POSTGRESQL = TABLE.format(integer="bigint", boolean="boolean NOT NULL", options="")
SQLITE = TABLE.format(
    integer="INTEGER", boolean="INTEGER NOT NULL CHECK (is_simulated IN (0, 1))", options="STRICT"
)


def upgrade() -> None:
    op.execute(POSTGRESQL if op.get_context().dialect.name == "postgresql" else SQLITE)
    op.execute(OF_THOSE_HELD)
