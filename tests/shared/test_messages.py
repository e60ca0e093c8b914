"""Messages: what we write we read, newer fields are ignored, other kinds and versions are errors."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.domain.ranking import LONGEST_RANKING, Ranking
from shared.domain.rate import Rate
from shared.domain.visit import Failure, FailureKind
from shared.messages import (
    COMMANDS,
    FACTS,
    MAX_MESSAGE_BYTES,
    CatalogStored,
    RankingStored,
    RatesStored,
    RefreshFailed,
    RefreshRanking,
    RefreshRates,
    RenewCatalog,
)

NOW = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)


def command() -> RefreshRates:
    return RefreshRates(id="c", currency_ids=(1, 2), created_at=NOW, request_id="r")


@given(st.decimals(min_value=Decimal("1e-30"), max_value=Decimal("1e30"), allow_nan=False))
def test_a_rate_loses_no_digit_in_a_fact(price: Decimal) -> None:
    rate = Rate(
        id=1,
        currency_id=1,
        symbol="BTC",
        price_usd=price,
        percent_change_1h=None,
        percent_change_24h=-0.5,
        volume_24h=Decimal("1.10"),
        market_cap=None,
        source="coinmarketcap",
        observed_at=NOW,
        fetched_at=NOW,
        stored_at=NOW,
    )
    fact = FACTS.validate_json(FACTS.dump_json(RatesStored(stored=(rate,))))
    assert isinstance(fact, RatesStored)
    assert fact.stored[0] == rate
    assert str(fact.stored[0].price_usd) == str(price)


def test_fields_of_a_newer_version_are_ignored() -> None:
    raw = json.loads(COMMANDS.dump_json(command()))
    assert COMMANDS.validate_json(json.dumps({**raw, "priority": 3})) == command()


def test_a_command_carries_its_trace_and_one_of_an_older_api_has_none() -> None:
    traced = replace(command(), traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01")
    raw = json.loads(COMMANDS.dump_json(traced))
    assert COMMANDS.validate_json(json.dumps(raw)) == traced
    del raw["traceparent"]
    assert COMMANDS.validate_json(json.dumps(raw)) == command()


def test_news_of_an_older_worker_name_no_commands() -> None:
    raw = json.loads(FACTS.dump_json(RatesStored(stored=(), command_ids=("c",))))
    assert FACTS.validate_json(json.dumps(raw)) == RatesStored(stored=(), command_ids=("c",))
    del raw["command_ids"]
    assert FACTS.validate_json(json.dumps(raw)) == RatesStored(stored=())


def test_a_catalog_of_an_older_worker_serves_no_commands() -> None:
    raw = json.loads(FACTS.dump_json(CatalogStored(currencies=7, command_ids=("c",))))
    assert FACTS.validate_json(json.dumps(raw)) == CatalogStored(currencies=7, command_ids=("c",))
    del raw["command_ids"]
    assert FACTS.validate_json(json.dumps(raw)) == CatalogStored(currencies=7)


@pytest.mark.parametrize(
    "change", [{"kind": "bake"}, {"version": 2}, {"currency_ids": ["x"]}, {"created_at": "soon"}]
)
def test_another_kind_or_version_or_type_is_an_error(change: dict[str, object]) -> None:
    raw = json.loads(COMMANDS.dump_json(command()))
    with pytest.raises(ValidationError):
        COMMANDS.validate_json(json.dumps({**raw, **change}))


def test_each_kind_of_command_is_read_as_what_it_is() -> None:
    ranking = RefreshRanking(id="c", length=200, created_at=NOW, request_id="r")
    renewal = RenewCatalog(id="c", created_at=NOW, request_id="r", traceparent="t", deadline_ms=7)
    assert COMMANDS.validate_json(COMMANDS.dump_json(ranking)) == ranking
    assert COMMANDS.validate_json(COMMANDS.dump_json(renewal)) == renewal
    assert COMMANDS.validate_json(COMMANDS.dump_json(command())) == command()


def test_the_longest_ranking_is_a_fact_of_bearable_size() -> None:
    ranking = Ranking(
        id=1,
        source="cryptocompare",
        observed_at=NOW,
        stored_at=NOW,
        currency_ids=tuple(range(1_000_000_000, 1_000_000_000 + LONGEST_RANKING)),
        is_whole=False,
    )
    written = FACTS.dump_json(RankingStored(ranking=ranking, command_ids=("c",)))
    assert FACTS.validate_json(written) == RankingStored(ranking=ranking, command_ids=("c",))
    assert len(written) < MAX_MESSAGE_BYTES


def test_a_failure_may_be_of_no_currency() -> None:
    failure = Failure(currency_id=None, kind=FailureKind.NOT_TRIED, detail="Budget spent.", retry_after=1.5)
    fact = RefreshFailed(command_id="c", failures=(failure,))
    assert FACTS.validate_json(FACTS.dump_json(fact)) == fact
