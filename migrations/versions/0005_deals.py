"""Deals, and the uploads that they came with."""  # noqa: INP001 - Alembic loads the steps by their path

from alembic import op

revision = "0005"
down_revision = "0004"

# The summary of an upload is JSON: [customer, sum of total, [items]] of those who spent most. It is all that an answer needs,
# so the answer is one look-up. No index and no reference on deals: either would slow the load, and nothing but the load and
# rare scans reads them. Where a load takes several transactions (on SQLite) its upload is "loading" until the last of them, and
# ids are never given twice: deals that a killed process left are of no later upload.
POSTGRESQL = (
    """
    CREATE TABLE deal_uploads (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        state text NOT NULL CHECK (state IN ('loading', 'current', 'replaced', 'refused')),
        name text NOT NULL,
        size bigint NOT NULL,
        sha256 text NOT NULL,
        charset text NOT NULL,
        has_header boolean NOT NULL,
        received_at timestamptz NOT NULL,
        rows bigint,
        error text,
        summary text
    )
    """,
    "CREATE UNIQUE INDEX deal_uploads_current ON deal_uploads (state) WHERE state = 'current'",
    """
    CREATE TABLE deals (
        upload_id bigint NOT NULL,
        customer text COLLATE "C" NOT NULL,
        item text COLLATE "C" NOT NULL,
        total numeric NOT NULL,
        quantity numeric NOT NULL,
        date timestamptz NOT NULL
    )
    """,
)

SQLITE = (
    """
    CREATE TABLE deal_uploads (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        state TEXT NOT NULL CHECK (state IN ('loading', 'current', 'replaced', 'refused')),
        name TEXT NOT NULL,
        size INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        charset TEXT NOT NULL,
        has_header INTEGER NOT NULL CHECK (has_header IN (0, 1)),
        received_at INTEGER NOT NULL,
        rows INTEGER,
        error TEXT,
        summary TEXT
    ) STRICT
    """,
    "CREATE UNIQUE INDEX deal_uploads_current ON deal_uploads (state) WHERE state = 'current'",
    """
    CREATE TABLE deals (
        upload_id INTEGER NOT NULL,
        customer TEXT NOT NULL,
        item TEXT NOT NULL,
        total TEXT NOT NULL,
        quantity TEXT NOT NULL,
        date INTEGER NOT NULL
    ) STRICT
    """,
)


def upgrade() -> None:
    for statement in POSTGRESQL if op.get_context().dialect.name == "postgresql" else SQLITE:
        op.execute(statement)
