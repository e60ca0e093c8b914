"""Profiles of currencies, and when somebody last asked for each."""  # noqa: INP001 - Alembic loads the steps by their path

from alembic import op

revision = "0004"
down_revision = "0003"

# Defaults that are constants rewrite no rows. Whoever was there before this step names the columns that it inserts, so it
# goes on as it did.
POSTGRESQL = (
    """
    ALTER TABLE currencies
        ADD COLUMN circulating_supply numeric,
        ADD COLUMN total_supply numeric,
        ADD COLUMN max_supply numeric,
        ADD COLUMN tags text NOT NULL DEFAULT '[]',
        ADD COLUMN links text NOT NULL DEFAULT '{}',
        ADD COLUMN profiled_at timestamptz
    """,
    """
    CREATE TABLE demand (
        currency_id bigint PRIMARY KEY REFERENCES currencies (id),
        asked_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX demand_by_time ON demand (asked_at DESC, currency_id)",
)

SQLITE = (
    "ALTER TABLE currencies ADD COLUMN circulating_supply TEXT",
    "ALTER TABLE currencies ADD COLUMN total_supply TEXT",
    "ALTER TABLE currencies ADD COLUMN max_supply TEXT",
    "ALTER TABLE currencies ADD COLUMN tags TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tags))",
    "ALTER TABLE currencies ADD COLUMN links TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(links))",
    "ALTER TABLE currencies ADD COLUMN profiled_at INTEGER",
    """
    CREATE TABLE demand (
        currency_id INTEGER PRIMARY KEY REFERENCES currencies (id),
        asked_at INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE INDEX demand_by_time ON demand (asked_at DESC, currency_id)",
)


def upgrade() -> None:
    """SQLite adds one column at a time."""
    for statement in POSTGRESQL if op.get_context().dialect.name == "postgresql" else SQLITE:
        op.execute(statement)
