"""The README tells the truth: every setting with its default, every request."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from api.routes import ROUTES
from shared.domain.schedule import Every
from shared.settings import Settings

README = (Path(__file__).parents[1] / "README.md").read_text()


def shown(default: Any) -> str:
    match default:
        case "" | ():
            return "empty"
        case bool():
            return str(default).lower()
        case tuple():
            return ",".join(map(str, default))
        case Every(interval):
            hours, rest = divmod(interval, timedelta(hours=1))
            return f"{rest // timedelta(minutes=1)}m" if rest else f"{hours}h"
        case float():
            return f"{default:g}"
        case _:
            return str(default)


def test_every_setting_stands_in_the_table_with_its_default_and_no_other() -> None:
    table = README.split("## Settings")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| `?([^|`]*)`? \|", table, re.MULTILINE))
    expected = {name.upper(): shown(field.default) for name, field in Settings.model_fields.items()}
    assert rows == expected


def test_every_route_stands_in_the_table_of_requests() -> None:
    paths = [route.path for route in ROUTES if route.path != "/" and "{asset}" not in route.path]
    assert [path for path in paths if f"GET {path}`" not in README] == []
