"""The usual way to serve rates: FastAPI, a pydantic response model, SQLAlchemy's ORM over asyncpg, one SELECT per request.

python -m bench.peers.fastapi_rates PORT DATABASE_URL

Reads freshrate's own tables. uvicorn with uvloop and httptools, without its access log.
"""

import sys
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Query
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Priced(Base):
    """The columns that `rates` and `last_rates` share."""

    __abstract__ = True

    currency_id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    observed_at: Mapped[datetime] = mapped_column(primary_key=True)
    price_usd: Mapped[Decimal] = mapped_column(primary_key=True)
    percent_change_1h: Mapped[float | None]
    percent_change_24h: Mapped[float | None]
    volume_24h: Mapped[Decimal | None]
    market_cap: Mapped[Decimal | None]
    stored_at: Mapped[datetime]


class StoredRate(Priced):
    __tablename__ = "rates"

    id: Mapped[int]


class LastRate(Priced):
    __tablename__ = "last_rates"

    rate_id: Mapped[int]
    fetched_at: Mapped[datetime]


class RateOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    currency_id: int
    source: str
    price_usd: Decimal
    percent_change_1h: float | None
    percent_change_24h: float | None
    volume_24h: Decimal | None
    market_cap: Decimal | None
    observed_at: datetime
    stored_at: datetime


def create_app(database_url: str) -> FastAPI:
    engine = create_async_engine(database_url.replace("postgresql://", "postgresql+asyncpg://"), pool_size=10)
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    app = FastAPI()

    async def session() -> AsyncIterator[AsyncSession]:
        async with sessions() as opened:
            yield opened

    async def last_rate(currency_id: int, db: Annotated[AsyncSession, Depends(session)]) -> LastRate:
        query = select(LastRate).where(LastRate.currency_id == currency_id)
        rate = (await db.scalars(query)).first()
        if rate is None:
            raise HTTPException(404)
        return rate

    async def history(
        currency_id: int,
        db: Annotated[AsyncSession, Depends(session)],
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Sequence[StoredRate]:
        query = select(StoredRate).where(StoredRate.currency_id == currency_id)
        newest = query.order_by(StoredRate.observed_at.desc(), StoredRate.id.desc()).limit(limit)
        return (await db.scalars(newest)).all()

    app.add_api_route("/lastrate/{currency_id}/", last_rate, response_model=RateOut)
    app.add_api_route("/rates/{currency_id}/", history, response_model=list[RateOut])
    return app


def main() -> None:
    port, database_url = int(sys.argv[1]), sys.argv[2]
    uvicorn.run(
        create_app(database_url),
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
