"""What the document says of uploads."""

from typing import Any

import pytest

from tests.api.rig import Rig


@pytest.fixture
def servers() -> dict[str, Any]:
    return {}


@pytest.fixture
async def operation(rig: Rig) -> Any:
    return (await rig.get("/api/openapi.json"))["paths"]["/api/deals/"]["post"]


async def test_the_body_is_a_form_with_a_file_or_the_file(operation: Any) -> None:
    body = operation["requestBody"]
    assert body["required"]
    assert body["content"].keys() == {"multipart/form-data", "text/csv"}
    schema = body["content"]["multipart/form-data"]["schema"]
    assert schema["properties"] == {"deals": {"type": "string", "format": "binary"}}
    assert schema["required"] == ["deals"]
    assert body["content"]["text/csv"]["schema"]["format"] == "binary"


async def test_a_refused_file_has_an_answer_of_its_own_beside_problems(rig: Rig, operation: Any) -> None:
    answers = operation["responses"]
    assert answers.keys() == {
        "200", "400", "401", "403", "408", "413", "415", "429", "503", "507"
    }  # fmt: skip
    assert answers["200"]["headers"].keys() == {"Freshrate-Deals-Upload"}
    assert answers["400"]["content"].keys() == {"application/json", "application/problem+json"}
    name = answers["400"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    schemas = (await rig.get("/api/openapi.json"))["components"]["schemas"]
    assert schemas[name]["properties"].keys() == {"Status", "Desc"}
    assert answers["503"]["headers"].keys() == {"Retry-After"}


async def test_a_key_is_needed_only_once_there_are_keys(operation: Any) -> None:
    assert operation["security"] == [{}, {"apiKey": []}, {"bearer": []}]
