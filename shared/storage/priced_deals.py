"""Deals with the rates that were in force at the date of each.

In force at a date: observed at or before it, and stored by then, or backfilled. Within one source the newest by
(observed_at, id) holds.
"""

from collections.abc import Sequence
from contextlib import aclosing
from datetime import datetime, timedelta

from shared.domain.deals import PricedDeal, PriceRule
from shared.storage.engine import Dialect, Engine
from shared.storage.rows import priced_deal_of

SLICE = 500
"""Deals that are read at once, in some milliseconds."""
# One look-up in the index of a currency's rates, backwards from the date. To SQLite an interval is an integer, as it keeps them.
_PRICE = """
    (
        SELECT price_usd FROM rates
        WHERE currency_id = ${currency} AND observed_at <= d.date AND observed_at >= d.date - CAST(${within} AS interval)
            AND (stored_at <= d.date OR backfilled) {also}
        ORDER BY observed_at DESC, id DESC LIMIT 1
    )
"""
# A source that never had this currency is known from its last rates, once: for each deal the look-up would go through all that
# the other sources said.
_OF_SOURCE = """
    AND source = ${source} AND EXISTS (SELECT 1 FROM last_rates WHERE currency_id = ${currency} AND source = ${source})
"""
# The deals are found first, in one scan, and each of them is then priced: the LIMIT keeps the look-ups out of the scan.
_DEALS = """
    SELECT d.customer, d.total, d.date{prices}
    FROM (
        SELECT one.customer, one.total, one.date
        FROM deal_uploads u CROSS JOIN deals one
        WHERE u.id = $1 AND u.state = 'current' AND one.upload_id = $1 AND one.customer {among}
        LIMIT $3
    ) AS d
"""
_AMONG = {
    Dialect.POSTGRESQL: "= ANY($2::text[])",
    Dialect.SQLITE: "IN (SELECT value FROM json_each($2))",
}


async def read_priced_deals(
    engine: Engine,
    upload_id: int,
    customers: Sequence[str],
    rules: Sequence[PriceRule],
    *,
    now: datetime,
    limit: int,
) -> list[PricedDeal]:
    """See Storage.priced_deals. One statement: the deals, and whether they are the current ones, are of one moment."""
    args: list[object] = [upload_id, list(customers), limit]
    prices = "".join(f", {_price(rule, now, args)}" for rule in rules)
    sql = _DEALS.format(prices=prices, among=_AMONG[engine.dialect])
    deals: list[PricedDeal] = []
    async with aclosing(engine.slices(sql, *args, size=SLICE)) as slices:
        async for rows in slices:
            deals += [priced_deal_of(row) for row in rows]
    return deals


def _price(rule: PriceRule, now: datetime, args: list[object]) -> str:
    """The look-ups of a rule, of which one follows another only where that found nothing. Adds their arguments."""
    args += [now, rule.currency_id, timedelta(seconds=rule.within_seconds)]
    known, currency, within = range(len(args) - 2, len(args) + 1)
    further = []
    for source in rule.sources:
        args.append(source)
        further.append(_OF_SOURCE.format(source=len(args), currency=currency))
    looked_up = [_PRICE.format(currency=currency, within=within, also=also) for also in (*further, "")]
    # A deal of the future would take the rate of today for that of its date.
    return f"CASE WHEN d.date <= ${known} THEN coalesce({', '.join(looked_up)}, NULL) END"
