"""What a request for those who spent most may say."""

from dataclasses import dataclass
from typing import Any

from marshmallow import post_load

from api.fields import PlainInteger, SymbolList
from api.queries import QuerySchema
from shared.domain.deals import LONGEST_TOP

DEFAULT_TOP = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class DealsQuery:
    top: int
    convert: str | None = None
    """A symbol."""


class DealsQuerySchema(QuerySchema):
    made_of = DealsQuery
    top = PlainInteger(
        minimum=1,
        maximum=LONGEST_TOP,
        load_default=DEFAULT_TOP,
        metadata={"description": "How many customers, from the one who spent most. Gems count among these."},
    )
    convert = SymbolList(
        most=1,
        metadata={
            "description": "In which currency to tell what they spent: the code of a fiat currency, else a symbol. Without: in "
            "that of the deals.",
            "example": "BTC",
        },
    )

    @post_load
    def make(self, data: dict[str, Any], **_options: Any) -> DealsQuery:  # noqa: ANN401 - marshmallow's signature
        symbols = data.pop("convert", (None,))
        return DealsQuery(convert=symbols[0], **data)
