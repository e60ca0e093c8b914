"""The HTTP API of CryptoCompare: the top lists and the prices, for holders of a key.

It names coins in its own way: ids of its own that never change, other symbols for some, and a star on the smaller ones
of a shared symbol. A top list has no rank field, its order is the ranking; every nineteenth id has no RAW, as coins
without a pair in the asked currency have none. Its errors come over HTTP 200, but for a missing key.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import orjson

from simulator.asking import Answer, Ask, Endpoint, Refused
from simulator.coins import Coin
from simulator.market import Market, Moment
from simulator.walk import scrambled

_OWN_SYMBOLS = {1720: "IOT", 11419: "TONCOIN", 27075: "MANTLE", 2682: "HOT*", 5690: "RNDR", 1567: "NANO"}
"""By CoinMarketCap's id."""
_WITHOUT_RAW_EVERY = 19
_PAGE_STEP = 10
_LONGEST_PAGE = 100
_MESSAGES = {
    1: "A required parameter is missing or wrong.",
    2: "There is no data for any of the toSymbols USD .",
    99: "You are over your rate limit please upgrade your account!",
}
_MOST_CALLS = {"second": 20, "minute": 300, "hour": 3000, "day": 10000, "month": 75000}
_CALLS_MADE = {**_MOST_CALLS, "second": 21, "minute": 301, "hour": 2999, "day": 9999, "month": 74999}
"""When a limit is reached: that of the minute."""
_KEY_MESSAGE = "API key required, please refer to the documentation at https://developers.coindesk.com/"
_LONGEST_SYMBOLS = {"fsyms": 1000, "tsyms": 100}

Json = dict[str, Any]


class CryptoCompare:
    name = "cryptocompare"

    def __init__(self, market: Market) -> None:
        self._market = market
        self._symbols = _symbols(market.coins)
        self._by_symbol = {symbol: market.by_id[coin_id] for coin_id, symbol in self._symbols.items()}

    def endpoints(self) -> Mapping[str, Endpoint]:
        paths: dict[str, Endpoint] = {
            "/data/top/totalvolfull": partial(self._top, by_volume=True),
            "/data/top/mktcapfull": partial(self._top, by_volume=False),
            "/data/pricemultifull": self._pricemultifull,
            "/data/pricemulti": self._pricemulti,
            "/data/price": self._price,
        }
        return {path: partial(self._with_key, endpoint=endpoint) for path, endpoint in paths.items()}

    def error(self, code: int, now: datetime, message: str = "") -> Answer:  # noqa: ARG002 - a vendor that states no time
        """Types below 100 come over HTTP 200; anything else is an HTTP status."""
        return _error(code, message or _MESSAGES.get(code, "An unexpected error occurred."))

    def _with_key(self, ask: Ask, *, endpoint: Endpoint) -> Answer:
        scheme, _, key = ask.headers.get("Authorization", "").partition(" ")
        key = key if scheme.lower() == "apikey" else ask.query.get("api_key", "")
        if not key or key == "invalid":
            raise Refused(_error(401, _KEY_MESSAGE))
        return endpoint(ask)

    def _top(self, ask: Ask, *, by_volume: bool) -> Answer:
        unit = self._units(ask, "tsym")[0]
        ranking = self._market.ranking(ask.moment)
        coins = ranking.by_volume if by_volume else ranking.by_cap
        size = min(_LONGEST_PAGE, max(1, -(-_number(ask, "limit", 10) // _PAGE_STEP)) * _PAGE_STEP)
        start = _number(ask, "page", 0) * size
        data = [
            self._element(ask, coin, unit)
            for coin in coins[start : start + size]
            if ask.distortion.shows(coin.id)
        ]
        return _answer(
            {
                "Message": "Success",
                "Type": 100,
                "MetaData": {"Count": len(coins)},
                "SponsoredData": [],
                "Data": data,
                "RateLimit": {},
                "HasWarning": False,
            }
        )

    def _element(self, ask: Ask, coin: Coin, unit: Coin) -> Json:
        symbol = self._symbols[coin.id]
        element: Json = {"CoinInfo": self._coin_info(ask, coin, symbol)}
        if coin.id % _WITHOUT_RAW_EVERY:
            raw = self._raw(ask, coin, unit)
            element["RAW"] = {unit.symbol: raw}
            element["DISPLAY"] = {unit.symbol: self._display(coin, unit, ask.moment)}
        return element

    def _coin_info(self, ask: Ask, coin: Coin, symbol: str) -> Json:
        stated = ask.distortion.stated_id(coin.id)
        other = self._market.by_id.get(stated)
        return {
            "Id": (other and other.cryptocompare_id) or str(stated),
            "Name": symbol,
            "FullName": coin.name,
            "Internal": symbol,
            "ImageUrl": f"/media/{coin.cryptocompare_id}/{coin.slug}.png",
            "Url": f"/coins/{coin.slug}/overview",
            "Algorithm": "N/A",
            "ProofType": "N/A",
            "NetHashesPerSecond": 9.94681189952697e20 if coin.symbol == "BTC" else 0,
            "BlockNumber": 0,
            "BlockTime": 0,
            "BlockReward": 0,
            "AssetLaunchDate": "0000-00-00",
            "MaxSupply": coin.max_supply or -1,
            "Type": 1,
            "DocumentType": "Webpagecoinp",
        }

    def _raw(self, ask: Ask, coin: Coin, unit: Coin) -> Json:
        moment = ask.distortion.moment(coin.id, ask.moment)
        price = self._rate(coin, unit, moment)
        distorted = ask.distortion.price(coin.id)
        changed_1h, changed, *_ = self._market.changes(coin, moment)
        opened = price / (1 + changed / 100)
        volume = coin.supply * price * self._market.turnover(coin)
        number = scrambled(coin.id)
        return {
            "TYPE": "5",
            "MARKET": "CCCAGG",
            "FROMSYMBOL": self._symbols[coin.id],
            "TOSYMBOL": unit.symbol,
            "FLAGS": "1",
            "PRICE": price if distorted is None else orjson.Fragment(distorted),
            "LASTUPDATE": ask.distortion.stated_ms(coin.id, moment.ms) // 1000,
            "LASTVOLUME": 0.1,
            "LASTVOLUMETO": price / 10,
            "LASTTRADEID": str(number % 10**9) if number % 3 else 0,
            "VOLUME24HOUR": volume / price,
            "VOLUME24HOURTO": volume,
            "OPEN24HOUR": opened,
            "HIGH24HOUR": max(price, opened),
            "LOW24HOUR": min(price, opened),
            "LASTMARKET": "CCCAGG",
            "CHANGE24HOUR": price - opened,
            "CHANGEPCT24HOUR": changed,
            "CHANGEPCTHOUR": changed_1h,
            "SUPPLY": coin.supply,
            "MKTCAP": coin.supply * price,
            "TOTALVOLUME24H": volume / price,
            "TOTALVOLUME24HTO": volume,
        }

    def _display(self, coin: Coin, unit: Coin, moment: Moment) -> Json:
        """For people: never to be parsed."""
        sign = unit.sign or unit.symbol
        price = self._rate(coin, unit, moment)
        return {
            "FROMSYMBOL": self._symbols[coin.id],
            "TOSYMBOL": sign,
            "MARKET": "CryptoCompare Index",
            "PRICE": f"{sign} {price:,.4g}",
            "LASTUPDATE": "Just now",
            "MKTCAP": f"{sign} {coin.supply * price / 1e9:,.2f} B",
        }

    def _pricemultifull(self, ask: Ask) -> Answer:
        units = self._units(ask, "tsyms")
        coins = self._coins(ask, "fsyms")
        return _answer(
            {
                "RAW": {
                    self._symbols[coin.id]: {unit.symbol: self._raw(ask, coin, unit) for unit in units}
                    for coin in coins
                },
                "DISPLAY": {
                    self._symbols[coin.id]: {
                        unit.symbol: self._display(coin, unit, ask.moment) for unit in units
                    }
                    for coin in coins
                },
            }
        )

    def _pricemulti(self, ask: Ask) -> Answer:
        units = self._units(ask, "tsyms")
        return _answer(
            {self._symbols[coin.id]: self._prices(ask, coin, units) for coin in self._coins(ask, "fsyms")}
        )

    def _price(self, ask: Ask) -> Answer:
        units = self._units(ask, "tsyms")
        return _answer(next((self._prices(ask, coin, units) for coin in self._coins(ask, "fsym")), {}))

    def _prices(self, ask: Ask, coin: Coin, units: Sequence[Coin]) -> Json:
        return {unit.symbol: self._raw(ask, coin, unit)["PRICE"] for unit in units}

    def _rate(self, coin: Coin, unit: Coin, moment: Moment) -> float:
        """Rounded to 15 digits, as the vendor does."""
        return float(f"{self._market.price(coin, moment) / self._market.price(unit, moment):.15g}")

    def _coins(self, ask: Ask, name: str) -> list[Coin]:
        """Unknown ones are left out; none known at all is an error."""
        asked = _symbols_asked(ask, name)
        known = {symbol: self._by_symbol[symbol] for symbol in asked if symbol in self._by_symbol}
        if not known:
            raise Refused(_error(2, f"There is no data for the symbol {asked[0]} .", ParamWithError=name))
        return [coin for coin in known.values() if ask.distortion.shows(coin.id)]

    def _units(self, ask: Ask, name: str) -> list[Coin]:
        asked = _symbols_asked(ask, name)
        units = [self._market.fiats.get(symbol) or self._by_symbol.get(symbol) for symbol in asked]
        known = [unit for unit in units if unit]
        if not known:
            message = f"There is no data for any of the toSymbols {','.join(asked)} ."
            raise Refused(_error(2, message, ParamWithError=name))
        return known


def _symbols(coins: Sequence[Coin]) -> dict[int, str]:
    """The vendor's symbol of each: its own, or CoinMarketCap's with stars on the smaller ones that share it."""
    symbols: dict[int, str] = {}
    taken = set(_OWN_SYMBOLS.values())
    for coin in coins:
        symbol = _OWN_SYMBOLS.get(coin.id)
        if symbol is None:
            symbol = coin.symbol
            while symbol in taken:
                symbol += "*"
            taken.add(symbol)
        symbols[coin.id] = symbol
    return symbols


def _symbols_asked(ask: Ask, name: str) -> list[str]:
    text = ask.query.get(name, "")
    if not text:
        raise Refused(_error(2, f"{name} param is empty or undefined.", ParamWithError=name))
    if len(text) > _LONGEST_SYMBOLS.get(name, 30):
        raise Refused(_error(2, f"{name} param is too long.", ParamWithError=name))
    return list(dict.fromkeys(text.split(",")))


def _number(ask: Ask, name: str, default: int) -> int:
    text = ask.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004 - far past any page
        raise Refused(_error(2, f"{name} param is not a number.", ParamWithError=name))
    return int(text)


def _answer(data: Json) -> Answer:
    return Answer(200, orjson.dumps(data))


def _error(code: int, message: str, **more: str) -> Answer:
    if code >= 100:  # noqa: PLR2004 - types end below, HTTP statuses start here
        failure = {"type": 2, "message": message, "http_status_code": code}
        return Answer(code, orjson.dumps({"Data": {}, "Err": failure}))
    limits = {"calls_made": _CALLS_MADE, "max_calls": _MOST_CALLS} if code == 99 else {}  # noqa: PLR2004 - the type of limits
    body = {
        "Response": "Error",
        "Message": message,
        "HasWarning": False,
        "Type": code,
        "RateLimit": limits,
        "Data": {},
        **more,
    }
    return _answer(body)
