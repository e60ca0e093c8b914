"""Rankings of any source by time, whole ones marked; the source's own symbol of an alias; ids for local currencies."""  # noqa: INP001 - Alembic loads the steps by their path

from alembic import op

revision = "0003"
down_revision = "0002"

# Nothing before this step writes these two tables. The defaults are for rows that people may have put there by hand.
TABLES = (
    "ALTER TABLE currency_aliases ADD COLUMN symbol text NOT NULL DEFAULT ''",
    "ALTER TABLE rankings ADD COLUMN is_whole {boolean}",
    # The newest ranking counts, of whatever source.
    "DROP INDEX rankings_by_time",
    "CREATE INDEX rankings_by_time ON rankings (observed_at DESC, id DESC)",
)
BOOLEANS = {
    "postgresql": "boolean NOT NULL DEFAULT false",
    "sqlite": "INTEGER NOT NULL DEFAULT 0 CHECK (is_whole IN (0, 1))",
}
LOCAL_IDS = "CREATE SEQUENCE local_currency_ids AS bigint START 1000000000 MINVALUE 1000000000"


def upgrade() -> None:
    """SQLite has no sequences: the storage counts there, for it is the only one that writes."""
    dialect = op.get_context().dialect.name
    for statement in TABLES:
        op.execute(statement.format(boolean=BOOLEANS[dialect]))
    if dialect == "postgresql":
        op.execute(LOCAL_IDS)
