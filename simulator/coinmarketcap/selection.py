"""Which currencies a request to CoinMarketCap names, and in which ones it wants to be answered."""

from collections.abc import Mapping
from dataclasses import dataclass

from simulator.asking import Ask
from simulator.coinmarketcap.envelope import invalid, invalid_values
from simulator.coins import Coin
from simulator.market import Market

_NAMES = ("id", "slug", "symbol")
_MOST_CONVERTS = 120
_MOST_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Selection:
    """What was named: by symbol, one key may mean several coins, the best-ranked first."""

    by_symbol: bool
    groups: Mapping[str, list[Coin]]


def selection(ask: Ask, market: Market, ranks: dict[int, int], *, skip_invalid: bool) -> Selection:
    """By exactly one of id, slug and symbol. Keys are ids, or symbols in upper case."""
    given = [name for name in _NAMES if ask.query.get(name)]
    if not given:
        raise invalid(ask, '"value" must contain at least one of [id, symbol, slug]')
    if len(given) > 1:
        raise invalid(ask, f'"value" contains a conflict between exclusive peers [{", ".join(given)}]')
    name = given[0]
    groups: dict[str, list[Coin]] = {}
    unknown = []
    for value in ask.query[name].split(","):
        coins = _found(ask, name, value, market, ranks)
        if coins:
            groups[value.upper() if name == "symbol" else str(coins[0].id)] = coins
        else:
            unknown.append(value)
    if unknown and not _flag(ask, "skip_invalid", default=skip_invalid):
        raise invalid_values(ask, name, unknown)
    return Selection(by_symbol=name == "symbol", groups=groups)


def converts(ask: Ask, market: Market, ranks: dict[int, int]) -> list[Coin]:
    """The currencies to answer in: `convert` by symbol (fiat wins) or `convert_id`; USD where neither is given."""
    if "convert" in ask.query and "convert_id" in ask.query:
        raise invalid(ask, '"value" contains a conflict between exclusive peers [convert, convert_id]')
    name = "convert_id" if "convert_id" in ask.query else "convert"
    values = ask.query.get(name, "USD").split(",")
    if len(values) > _MOST_CONVERTS:
        raise invalid(ask, f'"{name}" must contain at most {_MOST_CONVERTS} values')
    found: dict[int, Coin] = {}
    unknown = []
    for value in values:
        fiat = market.fiats.get(value.upper()) if name == "convert" else None
        coins = [fiat] if fiat else _found(ask, "symbol" if name == "convert" else "id", value, market, ranks)
        if coins:
            found[coins[0].id] = coins[0]
        else:
            unknown.append(value)
    if unknown:
        raise invalid_values(ask, name, unknown)
    return list(found.values())


def number(ask: Ask, name: str, default: int, *, most: int) -> int:
    """A number from 1 to `most`."""
    text = ask.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.lstrip("-").isdigit() and len(text) <= _MOST_DIGITS):
        raise invalid(ask, f'"{name}" must be a number')
    value = int(text)
    if value < 1:
        raise invalid(ask, f'"{name}" must be larger than or equal to 1')
    if value > most:
        raise invalid(ask, f'"{name}" must be less than or equal to {most}')
    return value


def choice(ask: Ask, name: str, default: str, options: tuple[str, ...]) -> str:
    value = ask.query.get(name, default)
    if value not in options:
        raise invalid(ask, f'"{name}" must be one of [{", ".join(options)}]')
    return value


def _found(ask: Ask, name: str, value: str, market: Market, ranks: dict[int, int]) -> list[Coin]:
    if name == "id":
        if not (value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS):
            raise invalid(ask, 'Invalid value for "id"')
        coin = market.by_id.get(int(value))
    elif name == "slug":
        coin = market.by_slug.get(value)
    elif value.isalnum():
        return market.named(value, ranks)
    else:
        raise invalid(ask, '"symbol" should only include comma-separated alphanumeric cryptocurrency symbols')
    return [coin] if coin else []


def _flag(ask: Ask, name: str, *, default: bool) -> bool:
    return choice(ask, name, str(default).lower(), ("true", "false")) == "true"
