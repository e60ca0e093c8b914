"""A visitor of the simulator, and the clock that it goes by."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient

Client = TestClient[web.Request, web.Application]

NOW = datetime(2026, 11, 20, 12, 0, 0, 250_000, tzinfo=UTC)
"""A Friday."""
_KEYS = {"X-CMC_PRO_API_KEY": "any key", "Authorization": "Apikey any key"}
_DATA = Path(__file__).parent / "data"


class SetClock:
    """Stands still until it is moved."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, **time: float) -> None:
        self.now += timedelta(**time)


class Visitor:
    """Asks with valid keys, and reads numbers exactly."""

    def __init__(self, client: Client, clock: SetClock) -> None:
        self.client = client
        self.clock = clock

    async def ask(self, path: str, /, **params: str | int) -> Any:
        return await self.refused(200, path, **params)

    async def refused(self, status: int, path: str, /, **params: str | int) -> Any:
        """The answer, which must have that status."""
        async with self.client.get(path, params=params, headers=_KEYS) as response:
            text = await response.text()
            assert response.status == status, text
            return json.loads(text, parse_float=Decimal)

    async def quotes(self, **params: str | int) -> Any:
        """The data of version 3."""
        answer = await self.ask("/v3/cryptocurrency/quotes/latest", **params)
        return answer["data"]

    async def price(self, currency_id: int) -> Decimal:
        coins = await self.quotes(id=currency_id)
        return Decimal(coins[0]["quote"][0]["price"])

    async def fault(self, **fault: object) -> None:
        async with self.client.post("/faults", json=fault) as response:
            assert response.status == 201, await response.text()

    async def refused_fault(self, body: str) -> str:
        async with self.client.post("/faults", data=body) as response:
            assert response.status == 400
            return str((await response.json())["error"])

    async def heal(self) -> None:
        async with self.client.delete("/faults") as response:
            assert response.status == 200

    async def calls(self) -> Any:
        async with self.client.get("/calls") as response:
            return await response.json()


def recorded(name: str) -> Any:
    """An answer of the real vendor, cut short."""
    return json.loads((_DATA / f"{name}.json").read_text(encoding="utf-8"), parse_float=Decimal)


def differences(ours: Any, real: Any, path: str = "") -> list[str]:
    """Where ours lacks what the real answer has, or states it in another type. Null fits everything."""
    if isinstance(real, dict) and isinstance(ours, dict):
        missing = [f"{path}.{key} is missing" for key in real if key not in ours]
        common = [key for key in real if key in ours]
        return missing + [
            found for key in common for found in differences(ours[key], real[key], f"{path}.{key}")
        ]
    if isinstance(real, list) and isinstance(ours, list):
        return differences(ours[0], real[0], f"{path}[0]") if real and ours else []
    if real is None or ours is None or _kind(ours) == _kind(real):
        return []
    return [f"{path} is {ours!r}, not like {real!r}"]


def _kind(value: object) -> type:
    return Decimal if isinstance(value, int) and not isinstance(value, bool) else type(value)
