"""Currencies, rates, rankings, visits, schedules and allowances.

Columns are named as the fields of the domain. PostgreSQL keeps prices as NUMERIC and times as timestamptz; SQLite
keeps prices as text with the source's digits and times as integer microseconds since 1970.
"""  # noqa: INP001 - Alembic loads the steps by their path

from alembic import op

revision = "0001"
down_revision = None

USD = """
    INSERT INTO currencies (id, kind, symbol, name, slug, is_active, symbol_folded, text_folded)
    VALUES (2781, 'fiat', 'USD', 'United States Dollar', 'united-states-dollar', true, 'usd',
            'united states dollar' || {separator} || 'usd' || {separator} || 'united-states-dollar')
"""
"""Every price is in USD, so USD exists before any source was asked."""

POSTGRESQL = (
    """
    CREATE TABLE currencies (
        id bigint PRIMARY KEY CHECK (id > 0),
        kind text NOT NULL CHECK (kind IN ('crypto', 'fiat', 'local')),
        symbol text NOT NULL,
        name text NOT NULL,
        slug text NOT NULL,
        rank bigint,
        is_active boolean NOT NULL,
        first_seen timestamptz,
        platform text,
        sign text,
        merged_into bigint REFERENCES currencies (id),
        symbol_folded text NOT NULL,
        text_folded text NOT NULL,
        renewed_at timestamptz
    )
    """,
    "CREATE INDEX currencies_by_rank ON currencies (coalesce(rank, 2147483647), id)",
    "CREATE INDEX currencies_by_symbol ON currencies (symbol_folded)",
    """
    CREATE TABLE currency_aliases (
        source text NOT NULL,
        source_id text NOT NULL,
        currency_id bigint NOT NULL REFERENCES currencies (id),
        decided_by text NOT NULL,
        decided_at timestamptz NOT NULL,
        PRIMARY KEY (source, source_id)
    )
    """,
    "CREATE INDEX currency_aliases_by_currency ON currency_aliases (currency_id)",
    "CREATE SEQUENCE rates_id AS bigint",
    # currency_id is checked where its last rate is first written: every rate has one beside it, in the same
    # transaction. A check per row would cost a third of a bulk write.
    """
    CREATE TABLE rates (
        id bigint NOT NULL DEFAULT nextval('rates_id'),
        currency_id bigint NOT NULL,
        source text NOT NULL,
        price_usd numeric NOT NULL CHECK (price_usd > 0),
        percent_change_1h double precision,
        percent_change_24h double precision,
        volume_24h numeric,
        market_cap numeric,
        observed_at timestamptz NOT NULL,
        stored_at timestamptz NOT NULL,
        backfilled boolean NOT NULL DEFAULT false,
        PRIMARY KEY (observed_at, id),
        UNIQUE (currency_id, observed_at, source, price_usd)
    ) PARTITION BY RANGE (observed_at)
    """,
    "CREATE INDEX rates_by_id ON rates (id)",
    # A copy of each last rate, so that reading them touches no partition. The room in each page lets an update stay on its page, without touching the index.
    """
    CREATE TABLE last_rates (
        currency_id bigint NOT NULL REFERENCES currencies (id),
        source text NOT NULL,
        rate_id bigint NOT NULL,
        price_usd numeric NOT NULL,
        percent_change_1h double precision,
        percent_change_24h double precision,
        volume_24h numeric,
        market_cap numeric,
        observed_at timestamptz NOT NULL,
        fetched_at timestamptz NOT NULL,
        stored_at timestamptz NOT NULL,
        PRIMARY KEY (currency_id, source)
    ) WITH (fillfactor = 50)
    """,
    """
    CREATE TABLE rankings (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        source text NOT NULL,
        observed_at timestamptz NOT NULL,
        stored_at timestamptz NOT NULL,
        currency_ids bigint[] NOT NULL
    )
    """,
    "CREATE INDEX rankings_by_time ON rankings (source, observed_at DESC, id DESC)",
    """
    CREATE TABLE visits (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        source text NOT NULL,
        reason text NOT NULL,
        what text NOT NULL,
        started_at timestamptz NOT NULL,
        duration interval NOT NULL,
        outcome text NOT NULL,
        credits bigint NOT NULL,
        rates_stored bigint NOT NULL,
        error text
    )
    """,
    "CREATE INDEX visits_by_time ON visits (started_at DESC, id DESC)",
    """
    CREATE TABLE schedules (
        job text PRIMARY KEY,
        done_at timestamptz,
        claimed_for timestamptz,
        claimed_until timestamptz
    )
    """,
    # One row per source, rewritten at every call.
    """
    CREATE TABLE allowances (
        source text PRIMARY KEY,
        version bigint NOT NULL,
        state text NOT NULL
    ) WITH (fillfactor = 50)
    """,
    USD.format(separator="chr(31)"),
)

SQLITE = (
    """
    CREATE TABLE currencies (
        id INTEGER PRIMARY KEY CHECK (id > 0),
        kind TEXT NOT NULL CHECK (kind IN ('crypto', 'fiat', 'local')),
        symbol TEXT NOT NULL,
        name TEXT NOT NULL,
        slug TEXT NOT NULL,
        rank INTEGER,
        is_active INTEGER NOT NULL CHECK (is_active IN (0, 1)),
        first_seen INTEGER,
        platform TEXT,
        sign TEXT,
        merged_into INTEGER REFERENCES currencies (id),
        symbol_folded TEXT NOT NULL,
        text_folded TEXT NOT NULL,
        renewed_at INTEGER
    ) STRICT
    """,
    "CREATE INDEX currencies_by_rank ON currencies (coalesce(rank, 2147483647), id)",
    "CREATE INDEX currencies_by_symbol ON currencies (symbol_folded)",
    """
    CREATE TABLE currency_aliases (
        source TEXT NOT NULL,
        source_id TEXT NOT NULL,
        currency_id INTEGER NOT NULL REFERENCES currencies (id),
        decided_by TEXT NOT NULL,
        decided_at INTEGER NOT NULL,
        PRIMARY KEY (source, source_id)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX currency_aliases_by_currency ON currency_aliases (currency_id)",
    """
    CREATE TABLE rates (
        id INTEGER PRIMARY KEY,
        currency_id INTEGER NOT NULL,
        source TEXT NOT NULL,
        price_usd TEXT NOT NULL,
        percent_change_1h REAL,
        percent_change_24h REAL,
        volume_24h TEXT,
        market_cap TEXT,
        observed_at INTEGER NOT NULL,
        stored_at INTEGER NOT NULL,
        backfilled INTEGER NOT NULL DEFAULT 0 CHECK (backfilled IN (0, 1))
    ) STRICT
    """,
    # 1.5 and 1.50 are one price, as they are in PostgreSQL: zeros that end a fraction do not tell prices apart.
    """
    CREATE UNIQUE INDEX rates_once ON rates (
        currency_id, observed_at, source,
        CASE WHEN instr(price_usd, '.') > 0 THEN rtrim(rtrim(price_usd, '0'), '.') ELSE price_usd END
    )
    """,
    "CREATE INDEX rates_by_time ON rates (observed_at DESC, id DESC)",
    """
    CREATE TABLE last_rates (
        currency_id INTEGER NOT NULL REFERENCES currencies (id),
        source TEXT NOT NULL,
        rate_id INTEGER NOT NULL,
        price_usd TEXT NOT NULL,
        percent_change_1h REAL,
        percent_change_24h REAL,
        volume_24h TEXT,
        market_cap TEXT,
        observed_at INTEGER NOT NULL,
        fetched_at INTEGER NOT NULL,
        stored_at INTEGER NOT NULL,
        PRIMARY KEY (currency_id, source)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE rankings (
        id INTEGER PRIMARY KEY,
        source TEXT NOT NULL,
        observed_at INTEGER NOT NULL,
        stored_at INTEGER NOT NULL,
        currency_ids TEXT NOT NULL CHECK (json_valid(currency_ids))
    ) STRICT
    """,
    "CREATE INDEX rankings_by_time ON rankings (source, observed_at DESC, id DESC)",
    """
    CREATE TABLE visits (
        id INTEGER PRIMARY KEY,
        source TEXT NOT NULL,
        reason TEXT NOT NULL,
        what TEXT NOT NULL,
        started_at INTEGER NOT NULL,
        duration INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        credits INTEGER NOT NULL,
        rates_stored INTEGER NOT NULL,
        error TEXT
    ) STRICT
    """,
    "CREATE INDEX visits_by_time ON visits (started_at DESC, id DESC)",
    """
    CREATE TABLE schedules (
        job TEXT PRIMARY KEY,
        done_at INTEGER,
        claimed_for INTEGER,
        claimed_until INTEGER
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE allowances (
        source TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        state TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    USD.format(separator="char(31)"),
)


def upgrade() -> None:
    """One statement at a time: asyncpg prepares each."""
    for statement in POSTGRESQL if op.get_context().dialect.name == "postgresql" else SQLITE:
        op.execute(statement)
