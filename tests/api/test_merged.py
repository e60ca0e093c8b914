"""A local currency that turned out to be another one leads to it, wherever it was answered before."""

from shared.domain.identity import DecidedBy, Identity, SourceCoin
from shared.messages import CatalogStored
from tests.api.rig import Rig, observed, until

SOURCE = "cryptocompare"
COIN = SourceCoin(source_id="7605", symbol="ETH*", name="Ethereum")


async def decide(rig: Rig, currency_id: int | None, rule: DecidedBy) -> int:
    identity = Identity(COIN, currency_id, rule)
    decided = await rig.storage.record_identities(SOURCE, [identity], decided_at=rig.clock())
    await rig.queue.announce([CatalogStored(currencies=1)])
    return decided["7605"]


async def test_a_merged_currency_answers_with_its_successor(rig: Rig) -> None:
    local = await decide(rig, None, DecidedBy.NONE)
    await until(lambda: rig.api.catalog.get(local))
    await rig.store(observed(local, "7"))
    path = f"/api/lastrate/{local}/"
    assert (await rig.get(path))["price_usd"] == "7"
    await decide(rig, 1027, DecidedBy.SYMBOL_AND_NAME)
    await until(lambda: rig.api.memory.known(local) is None)
    assert local in rig.api.catalog.merged()
    for path in (f"/api/lastrate/{local}/", f"/api/latestrate/{local}/", f"/api/currencies/{local}/"):
        status, headers = await rig.headers(path)
        assert (status, headers["Location"]) == (308, path.replace(str(local), "1027"))
    status, headers = await rig.headers(f"/api/lastrate/{local}/?max_age=5")
    assert (status, headers["Location"]) == (308, "/api/lastrate/1027/?max_age=5")


async def test_the_aliases_of_a_currency_tell_the_sources_symbol(rig: Rig) -> None:
    await decide(rig, 1027, DecidedBy.SYMBOL_AND_NAME)
    aliases = (await rig.get("/api/currencies/1027/"))["aliases"]
    (ours,) = [one for one in aliases if one["source"] == SOURCE]
    assert ours == {
        "source": SOURCE,
        "source_id": "7605",
        "symbol": "ETH*",
        "decided_by": "symbol-and-name",
        "decided_at": "2026-11-20T12:00:00.250Z",
    }


async def test_rates_can_be_filtered_by_every_known_source(rig: Rig) -> None:
    await rig.store(observed(price="7", source=SOURCE), observed(price="8"))
    results = (await rig.get(f"/api/ratescurrency/?source={SOURCE}"))["results"]
    assert [one["price_usd"] for one in results] == ["7"]
