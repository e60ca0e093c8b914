"""Who spent most: exact sums, gems among those who are named, and never an answer of old deals."""

import asyncio
import threading
from collections.abc import Sequence
from decimal import Decimal

import pytest
from aiohttp import ServerDisconnectedError

from api.deals import answers, encoding
from api.deals.upload_schemas import UPLOAD_HEADER
from shared.domain.deals import BigSpender, DealsSummary
from shared.errors import StorageUnavailable
from tests.api.deals.ledger import PATH, Reads, Row, exactly, gems, replace_deals, rows, spent
from tests.api.rig import Rig, until

NOON = "2026-11-20T12:00:00"


Encoded = tuple[int, int]
"""Customers, and the thread."""


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[Encoded]:
    """What was encoded by now."""
    done: list[Encoded] = []

    def watched(spenders: Sequence[BigSpender]) -> bytes:
        done.append((len(spenders), threading.get_ident()))
        return encoding.spenders_body(spenders)

    monkeypatch.setattr(answers, "spenders_body", watched)
    return done


def bought(customer: str, item: str, total: str = "1") -> Row:
    return (customer, item, total, NOON)


async def test_before_the_first_upload_there_is_nobody(rig: Rig) -> None:
    async with rig.client.get(PATH) as response:
        assert await response.text() == '{"response":[]}'
        assert UPLOAD_HEADER not in response.headers
        tag = response.headers["ETag"]
    assert (await rig.headers(PATH, **{"If-None-Match": tag}))[0] == 304


async def test_the_five_who_spent_most_with_the_gems_that_two_of_these_bought(rig: Rig) -> None:
    upload_id = await replace_deals(
        rig,
        bought("a", "ruby", "50.5"),
        bought("b", "ruby", "41"),
        bought("b", "agate", "0.25"),
        bought("c", "opal", "30"),
        bought("d", "agate", "20"),
        bought("e", "beryl", "10"),
        bought("f", "opal", "9"),
        bought("a", "beryl", "0.75"),
        bought("a", "ruby", "0"),
    )
    async with rig.client.get(PATH) as response:
        assert exactly(await response.text()) == {
            "response": [
                {"username": "a", "spent_money": Decimal("51.25"), "gems": ["beryl", "ruby"]},
                {"username": "b", "spent_money": Decimal("41.25"), "gems": ["agate", "ruby"]},
                {"username": "c", "spent_money": 30, "gems": []},
                {"username": "d", "spent_money": 20, "gems": ["agate"]},
                {"username": "e", "spent_money": 10, "gems": ["beryl"]},
            ]
        }
        assert response.headers[UPLOAD_HEADER] == str(upload_id)
        assert response.headers["Cache-Control"] == "no-cache"
        assert response.content_type == "application/json"


async def test_gems_count_among_as_many_as_are_asked_for(rig: Rig) -> None:
    await replace_deals(
        rig,
        *(bought(name, "ruby" if name in "af" else "opal", str(9 - n)) for n, name in enumerate("abcdef")),
    )
    assert await gems(rig, "top=1") == {"a": []}
    assert (await gems(rig))["a"] == []
    assert (await gems(rig, "top=6"))["a"] == ["ruby"]
    assert list(await gems(rig, "top=100")) == list("abcdef")


async def test_who_spent_the_same_is_named_in_code_point_order(rig: Rig) -> None:
    names = ["b", "a", "Z", "ä", "😀", "\uffee", "Ж"]
    await replace_deals(rig, *(bought(name, "ruby", total) for name in names for total in ("0.1", "0.20")))
    assert list(await spent(rig, "top=7")) == sorted(names)
    assert list(await gems(rig, "top=2")) == ["Z", "a"]


async def test_amounts_are_numbers_with_every_digit_and_without_exponent(rig: Rig) -> None:
    await replace_deals(
        rig,
        bought("great", "x", "1" + "0" * 30),
        bought("great", "x", "0." + "0" * 29 + "1"),
        bought("small", "x", "0." + "0" * 29 + "1"),
        bought("nothing", "x", "0.00"),
        bought("many", "x", "0.1"),
        *[bought("many", "x", "0.1")] * 9,
    )
    text = await (await rig.client.get(PATH)).text()
    for name, amount in (
        ("great", "1" + "0" * 30 + "." + "0" * 29 + "1"),
        ("small", "0." + "0" * 29 + "1"),
        ("nothing", "0"),
        ("many", "1"),
    ):
        assert f'{{"username":"{name}","spent_money":{amount},"gems"' in text


async def test_names_are_shown_as_they_are(rig: Rig) -> None:
    name = ' "quoted",\n\t<b>ё</b> \\ '
    await replace_deals(rig, bought(name, name, "2"), bought("other", name, "1"))
    assert await gems(rig) == {name: [name], "other": [name]}


async def test_a_newer_upload_is_answered_at_once(rig: Rig) -> None:
    first = await replace_deals(rig, bought("a", "ruby"))
    _, headers = await rig.headers(PATH)
    assert await spent(rig) == {"a": 1}
    second = await replace_deals(rig, bought("a", "ruby"), bought("b", "ruby"))
    assert await spent(rig) == {"a": 1, "b": 1}
    assert second > first
    status, headers = await rig.headers(PATH, **{"If-None-Match": headers["ETag"]})
    assert (status, headers[UPLOAD_HEADER]) == (200, str(second))


async def test_what_the_client_has_already_is_not_sent_again(rig: Rig) -> None:
    upload_id = await replace_deals(rig, bought("a", "ruby"))
    _, headers = await rig.headers(PATH)
    status, again = await rig.headers(PATH, **{"If-None-Match": f'"x", {headers["ETag"]}'})
    assert (status, again[UPLOAD_HEADER], again["ETag"]) == (304, str(upload_id), headers["ETag"])
    assert (await rig.headers(f"{PATH}?top=5", **{"If-None-Match": headers["ETag"]}))[0] == 304


async def test_another_upload_with_the_same_answer_has_a_tag_of_its_own(rig: Rig) -> None:
    await replace_deals(rig, bought("a", "ruby", "2"))
    _, headers = await rig.headers(PATH)
    await replace_deals(rig, bought("a", "ruby"), bought("a", "ruby"))
    assert (await rig.headers(PATH, **{"If-None-Match": headers["ETag"]}))[0] == 200


async def test_each_request_reads_the_id_and_a_summary_is_read_once(rig: Rig, reads: Reads) -> None:
    await replace_deals(rig, bought("a", "ruby"))
    for query in ("", "", "top=7", "top=1", "top=7"):
        await rows(rig, query)
    assert (reads.ids, reads.summaries) == (5, 1)
    await replace_deals(rig, bought("b", "ruby"))
    assert await spent(rig, "top=7") == {"b": 1}
    assert await spent(rig) == {"b": 1}
    assert (reads.ids, reads.summaries) == (7, 2)


async def test_many_who_ask_at_once_after_an_upload_wait_for_one_reading(rig: Rig, reads: Reads) -> None:
    is_open = asyncio.Event()
    reads.before_summary.append(is_open.wait)
    await replace_deals(rig, *(bought(str(n), "ruby") for n in range(9)))
    asking = [asyncio.create_task(rows(rig, f"top={1 + n % 9}")) for n in range(64)]
    await until(lambda: reads.ids == 64)
    is_open.set()
    told = await asyncio.gather(*asking)
    assert [len(one) for one in told] == [1 + n % 9 for n in range(64)]
    assert reads.summaries == 1


async def test_those_who_ask_for_the_same_at_once_share_what_is_encoded(
    rig: Rig, encoded: list[Encoded], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "LONG", 1)
    await replace_deals(rig, bought("a", "ruby"), bought("b", "ruby"))
    told = await asyncio.gather(*(rows(rig, f"top={1 + n % 2}") for n in range(16)))
    assert [len(one) for one in told] == [1, 2] * 8
    assert sorted(count for count, _ in encoded) == [1, 2]


async def test_one_who_leaves_takes_the_reading_from_nobody(rig: Rig, reads: Reads) -> None:
    is_open = asyncio.Event()
    reads.before_summary.append(is_open.wait)
    await replace_deals(rig, bought("a", "ruby"))
    first = asyncio.create_task(rig.api.deals.top(5))
    await until(lambda: reads.summaries == 1)
    second = asyncio.create_task(rig.api.deals.top(6))
    await until(lambda: reads.ids == 2)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    is_open.set()
    assert b'"a"' in (await second).body
    assert reads.summaries == 1


async def test_a_reading_that_fails_is_told_to_all_and_tried_anew_later(rig: Rig, reads: Reads) -> None:
    is_open = asyncio.Event()

    async def fail() -> None:
        await is_open.wait()
        raise StorageUnavailable

    reads.before_summary.append(fail)
    await replace_deals(rig, bought("a", "ruby"))
    asking = [asyncio.create_task(rig.headers(PATH)) for _ in range(3)]
    await until(lambda: reads.ids == 3)
    is_open.set()
    assert [status for status, _ in await asyncio.gather(*asking)] == [503] * 3
    assert await spent(rig) == {"a": 1}
    assert reads.summaries == 2


async def test_a_reading_under_way_does_not_keep_the_process(rig: Rig, reads: Reads) -> None:
    reads.before_summary.append(asyncio.Event().wait)
    await replace_deals(rig, bought("a", "ruby"))
    asking = asyncio.create_task(rig.headers(PATH))
    await until(lambda: reads.summaries == 1)
    await rig.api.deals.close()
    with pytest.raises(ServerDisconnectedError):
        await asking


async def test_a_summary_that_is_newer_than_the_id_is_answered_and_kept(rig: Rig, reads: Reads) -> None:
    await replace_deals(rig, bought("a", "ruby"))
    reads.before_summary.append(lambda: replace_deals(rig, bought("b", "ruby")))
    assert await spent(rig) == {"b": 1}
    assert await spent(rig) == {"b": 1}
    assert reads.summaries == 1


async def test_an_answer_that_is_late_is_no_answer_for_those_who_ask_later(rig: Rig, reads: Reads) -> None:
    is_open = asyncio.Event()
    has_read = asyncio.Event()
    read = rig.storage.deals_summary

    async def late() -> DealsSummary | None:
        summary = await read()
        has_read.set()
        await is_open.wait()
        return summary

    await replace_deals(rig, bought("a", "ruby"))
    rig.storage.deals_summary = late  # type: ignore[method-assign] # what it read is old when it comes
    early = asyncio.create_task(spent(rig, "top=9"))
    await has_read.wait()
    rig.storage.deals_summary = read  # type: ignore[method-assign]
    await replace_deals(rig, bought("b", "ruby"))
    assert await spent(rig) == {"b": 1}
    is_open.set()
    assert await early == {"a": 1}
    assert await spent(rig, "top=9") == {"b": 1}
    assert await spent(rig) == {"b": 1}
    assert reads.summaries == 3


async def test_memory_is_bounded_by_bytes(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await replace_deals(rig, *(bought(str(n), "ruby") for n in range(9)))
    text = await (await rig.client.get(f"{PATH}?top=9")).text()
    monkeypatch.setattr(answers, "LARGEST_CACHE", len(text))
    for top in (8, 8, 9, 8):
        await rows(rig, f"top={top}")
        assert list(rig.api.deals._answers) == [top]


@pytest.mark.parametrize(
    ("name", "item", "is_beside"),
    [("a", "ruby", False), ("a", "r" * 600, True), ("a" * 1200, "ruby", True)],
    ids=["short", "long items", "long names"],
)
async def test_a_long_answer_is_made_beside_the_loop(
    rig: Rig,
    encoded: list[Encoded],
    name: str,
    item: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_beside: bool,
) -> None:
    monkeypatch.setattr(encoding, "LONG", 1000)
    await replace_deals(rig, bought(name, item), bought("z", item))
    assert await gems(rig) == {name: [item], "z": [item]}
    assert [thread != threading.get_ident() for _, thread in encoded] == [is_beside]


async def test_a_query_that_cannot_be_used_is_400_by_name(rig: Rig) -> None:
    for query, name in (
        *((f"top={value}", "top") for value in ("0", "101", "-1", "1.0", "01", "%2B5", "", "five", "1e1")),
        ("top=5&top=5", "top"),
        ("limit=5", "limit"),
        ("Top=5", "Top"),
    ):
        body = await rig.get(f"{PATH}?{query}", status=400)
        assert (list(body["errors"]), body["type"]) == ([name], "/problems/invalid-parameters"), query


async def test_without_the_database_there_is_no_answer(rig: Rig, reads: Reads) -> None:
    await replace_deals(rig, bought("a", "ruby"))
    await rows(rig)
    reads.is_away = True
    for query in ("", "?convert=USD"):
        status, headers = await rig.headers(PATH + query)
        assert status == 503
        assert "Retry-After" in headers
    reads.is_away = False
    assert await spent(rig) == {"a": 1}
