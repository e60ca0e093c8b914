"""What an upload is answered with."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields, validate

UPLOAD_HEADER = "Freshrate-Deals-Upload"
"""The id of the upload whose deals are the deals."""


class DealsTakenSchema(Schema):
    """The deals of the file are the deals."""

    status = fields.String(required=True, data_key="Status", validate=validate.OneOf(["OK"]))


class DealsRefusedSchema(Schema):
    """Nothing of the file was kept; the deals are what they were."""

    status = fields.String(required=True, data_key="Status", validate=validate.OneOf(["Error"]))
    description = fields.String(
        required=True,
        data_key="Desc",
        metadata={
            "description": "What is wrong, a line for each error, up to 20: `line 17: total is not a number: '12,5'`."
        },
    )


EXAMPLE = "customer,item,total,quantity,date\nbellwether,ruby,4000,2,2018-12-14 08:29:52.506166\n"
REQUEST_BODY: Mapping[str, Any] = {
    "description": "The file of deals: CSV with the columns customer, item, total, quantity and date, in any order.",
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {"deals": {"type": "string", "format": "binary"}},
                "required": ["deals"],
            },
            "encoding": {"deals": {"contentType": "text/csv"}},
        },
        "text/csv": {"schema": {"type": "string", "format": "binary"}, "example": EXAMPLE},
    },
}
