"""The usual way to store many rows: SQLAlchemy's ORM, `add_all` and commit, over psycopg.

python -m bench.peers.orm_store DATABASE_URL ROWS_FILE

For each line on stdin it stores the rows of the JSON file, and answers with the seconds from the first object to the commit.
The table has the columns of `rates` and a unique index like it.
"""

import json
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import DateTime, UniqueConstraint, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    pass


class OrmRate(Base):
    __tablename__ = "orm_rates"
    __table_args__ = (UniqueConstraint("currency_id", "observed_at", "source", "price_usd"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    currency_id: Mapped[int]
    source: Mapped[str]
    price_usd: Mapped[Decimal]
    volume_24h: Mapped[Decimal | None]
    market_cap: Mapped[Decimal | None]
    percent_change_1h: Mapped[float | None]
    percent_change_24h: Mapped[float | None]
    observed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    stored_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


def rows_of(file: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(file.read_text())
    for row in rows:
        for name in ("price_usd", "volume_24h", "market_cap"):
            row[name] = None if row[name] is None else Decimal(row[name])
        row["observed_at"] = datetime.fromisoformat(row["observed_at"])
        row["stored_at"] = datetime.now(UTC)
    return rows


def main() -> None:
    database_url, file = sys.argv[1], Path(sys.argv[2])
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    Base.metadata.create_all(engine)
    for _ in sys.stdin:
        rows = rows_of(file)
        started = time.perf_counter()
        with Session(engine) as session:
            session.add_all([OrmRate(**row) for row in rows])
            session.commit()
        print(time.perf_counter() - started, flush=True)


if __name__ == "__main__":
    main()
