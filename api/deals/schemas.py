"""What answers about deals look like; see `api.schemas`."""

from decimal import Decimal
from typing import Any

from marshmallow import Schema, fields

from api.fields import UtcTime
from api.schemas import derived, page_of
from shared.domain.deals import DealsFile, DealsUpload


class ExactNumber(fields.Field[Decimal]):
    """A decimal as a JSON number, with all its digits and without exponent."""

    def _serialize(self, value: Decimal | None, *_args: Any, **_kwargs: Any) -> Decimal | None:  # noqa: ANN401 - marshmallow's signature
        return value


class SpenderSchema(Schema):
    """A customer among those who spent most."""

    name = fields.String(required=True, data_key="username")
    spent = ExactNumber(
        required=True,
        allow_none=True,
        data_key="spent_money",
        metadata={
            "description": "The sum of `total`, exact. With `convert`: each deal at the rate of its own date, the sum rounded to "
            "28 significant digits; null where a deal has no rate."
        },
    )
    gems = fields.List(
        fields.String(),
        required=True,
        metadata={
            "description": "The items that this one and at least one other of these customers bought, by name."
        },
    )
    currency = fields.String(
        metadata={"description": "With `convert`: the symbol of the currency of `spent_money`."}
    )
    unpriced = fields.Integer(
        data_key="unpriced_deals",
        metadata={
            "description": "Where `spent_money` is null: how many deals are of a date of which no rate is known. Older than the "
            "history of rates, most likely."
        },
    )
    unpriced_from = UtcTime(metadata={"description": "The date of the first of them."})
    unpriced_to = UtcTime(metadata={"description": "The date of the last of them."})


class DealsSchema(Schema):
    """Those who spent most."""

    response = fields.List(
        fields.Nested(SpenderSchema),
        required=True,
        metadata={
            "description": "The greatest sum of `total` first, equal ones by name; empty before the first upload."
        },
    )


_FileSchema = derived(
    "_FileSchema",
    DealsFile,
    names={"name": "file_name", "received_at": "date_added"},
    docs={
        "file_name": "As the client called it; empty where it did not.",
        "size": "In bytes.",
        "sha256": "Of its bytes, in hexadecimal digits.",
        "charset": "How its bytes were read.",
        "date_added": "When it was received.",
    },
    without=frozenset({"has_header"}),
)
_StateSchema = derived(
    "_StateSchema",
    DealsUpload,
    docs={
        "id": "As the header Freshrate-Deals-Upload says it.",
        "state": "`current`: its deals are the deals. `replaced`: they were, until another came. `refused`: something is wrong "
        "with it, so nothing of it was kept.",
        "rows": "The deals in it; null where it was refused.",
        "error": "What is wrong with it, a line each; null where it was not refused.",
    },
    without=frozenset({"file"}),
)


class DealsUploadSchema(_StateSchema, _FileSchema):  # type: ignore[misc, valid-type]
    """A file that was uploaded."""


DealsUploadsPageSchema = page_of("DealsUploadsPageSchema", DealsUploadSchema)
