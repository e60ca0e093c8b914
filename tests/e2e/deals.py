"""Uploading deals to real processes, and the answers that must come of them, computed in the plainest way."""

import csv
import io
import json
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import itemgetter
from pathlib import Path
from typing import Any

import aiohttp

from tests.e2e.processes import Running

DATA = Path(__file__).parents[1] / "data" / "deals"
"""Deals that are known from several authors, ordered by customer; and in expected.json the answer to each file."""
PATH = "/api/deals/"
UPLOAD = "Freshrate-Deals-Upload"
HEADER = "customer,item,total,quantity,date\n"
Answer = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of an upload."""

    status: int
    upload: int | None
    """The id that the answer names."""
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Made:
    """A file of ours, and the answer to it."""

    content: bytes
    answer: Answer


def sample(name: str) -> bytes:
    """Byte for byte as its author hands it out: by date, in the usual order of columns."""
    deals = csv.DictReader(io.StringIO((DATA / name).read_text(), newline=""))
    text = io.StringIO()
    writer = csv.DictWriter(text, HEADER.strip().split(","), lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(deals, key=itemgetter("date")))
    return text.getvalue().encode()


def expected(name: str) -> Answer:
    answers: dict[str, dict[str, Answer]] = read_json((DATA / "expected.json").read_bytes())
    return answers[name]["response"]


def read_json(body: bytes) -> Any:
    """Without loss: every number with a fraction as a decimal."""
    return json.loads(body, parse_float=Decimal)


def naive_answer(rows: Iterable[Sequence[str]], *, top: int = 5) -> Answer:
    """Of (customer, item, total, quantity, date)."""
    spent: dict[str, Decimal] = defaultdict(Decimal)
    bought: dict[str, set[str]] = defaultdict(set)
    for customer, item, total, _, _ in rows:
        spent[customer] += Decimal(total)
        bought[customer].add(item)
    names = sorted(spent, key=lambda name: (-spent[name], name))[:top]
    return [
        {
            "username": name,
            "spent_money": spent[name],
            "gems": sorted(
                item
                for item in bought[name]
                if any(item in bought[other] for other in names if other != name)
            ),
        }
        for name in names
    ]


def made(seed: int, rows: int, *, mark: int = 0) -> Made:
    """A file of so many rows; of every seed another one, with another answer. `mark`: the quantity of one deal, anywhere in
    it; the others have less than 20."""
    chance = random.Random(seed)
    written = list(
        zip(
            chance.choices([f"customer{number}" for number in range(40)], k=rows),
            chance.choices([f"Камень {number}" for number in range(200)], k=rows),
            chance.choices([f"{cents / 100:.2f}" for cents in range(1, 100_000, 7)], k=rows),
            chance.choices([str(number) for number in range(1, 20)], k=rows),
            chance.choices([f"2026-11-{day:02} 9:45:00.{seed:06}" for day in range(1, 31)], k=rows),
            strict=True,
        )
    )
    if mark:
        place = chance.randrange(rows)
        customer, item, total, _, date = written[place]
        written[place] = (customer, item, total, str(mark), date)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(written)
    return Made((HEADER + text.getvalue()).encode(), naive_answer(written))


def form(content: bytes, *, name: str = "deals.csv", content_type: str = "text/csv") -> aiohttp.FormData:
    data = aiohttp.FormData(quote_fields=False)
    data.add_field("deals", io.BytesIO(content), filename=name, content_type=content_type)
    return data


def key_of(answer: Answer) -> tuple[object, ...]:
    """Equal for equal answers, however their amounts are written."""
    return tuple((one["username"], Decimal(one["spent_money"]), *one["gems"]) for one in answer)


async def upload(http: aiohttp.ClientSession, api: Running, data: aiohttp.FormData) -> Sent:
    async with http.post(api.url + PATH, data=data) as response:
        named = response.headers.get(UPLOAD)
        return Sent(response.status, int(named) if named else None, await response.json())


async def upload_bare(
    http: aiohttp.ClientSession, api: Running, content: bytes, content_type: str = "text/csv"
) -> Sent:
    async with http.post(
        api.url + PATH, data=io.BytesIO(content), headers={"Content-Type": content_type}
    ) as response:
        named = response.headers.get(UPLOAD)
        return Sent(response.status, int(named) if named else None, await response.json())


async def answered(http: aiohttp.ClientSession, api: Running, query: str = "") -> tuple[int | None, Answer]:
    """The id of the upload, and the answer to it."""
    async with http.get(api.url + PATH + query) as response:
        body = await response.read()
        assert response.status == 200, body
        named = response.headers.get(UPLOAD)
        return int(named) if named else None, read_json(body)["response"]
