"""What a request for the market may say."""

from dataclasses import dataclass

from api.fields import PlainInteger
from api.queries import DEFAULT_LIMIT, MAX_LIMIT, QuerySchema


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketQuery:
    limit: int


class MarketQuerySchema(QuerySchema):
    made_of = MarketQuery
    limit = PlainInteger(
        minimum=1,
        maximum=MAX_LIMIT,
        load_default=DEFAULT_LIMIT,
        metadata={"description": "How many places, from the first."},
    )
