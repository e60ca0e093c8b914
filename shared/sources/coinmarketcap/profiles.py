"""CoinMarketCap's coins as profiles: tags and links as its info has them, tags and supplies as its quotes do.

All are read alike, and what an answer does not have stays empty. A tag is a text, or in quotes an object with a slug. A
supply of 0 is handed on: for some coins it means that CoinMarketCap does not know it, but it does not say for which.

Links are written by the coins' owners and shown by who knows what, so only plain http and https addresses pass.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from shared.domain.currency import CurrencyProfile
from shared.errors import UpstreamMalformed
from shared.ports import Parsed, UpstreamAnswer
from shared.sources.coinmarketcap.quotes import coins_of, contents_about, id_of
from shared.sources.values import amount_or_none, text_from

_MOST_TAGS = 100
_LONGEST_TAG = 100
_MOST_KINDS = 20
"""It has ten: website, twitter, message_board, chat, facebook, explorer, reddit, technical_doc, source_code, announcement."""
_MOST_LINKS = 10
"""Of one kind."""
_LONGEST_LINK = 500
_is_kind = re.compile("[a-z_]{1,40}").fullmatch
_NOT_IN_LINKS = re.compile(r"[\s<>\"\\^`{|}]")
"""What RFC 3986 allows nowhere; in a page that is careless it may end the link and begin something else."""

Profiles = dict[int, CurrencyProfile]


def parse_profiles(asked: tuple[int, ...], answer: UpstreamAnswer) -> Parsed[Profiles]:
    """Of info or quotes, which are asked for by id."""
    contents = contents_about(asked, answer)
    wanted = frozenset(asked)
    profiles: Profiles = {}
    has_coins = False
    for coin in coins_of(contents.data):
        currency_id = id_of(coin.get("id"))
        has_coins = has_coins or currency_id is not None
        if currency_id in wanted and currency_id not in profiles:
            profiles[currency_id] = _profile(coin)
    if not has_coins:
        raise UpstreamMalformed("CoinMarketCap answered without a single coin.")
    return Parsed(profiles, contents.credits)


def _profile(coin: dict[str, Any]) -> CurrencyProfile:
    return CurrencyProfile(
        circulating_supply=amount_or_none(coin.get("circulating_supply")),
        total_supply=amount_or_none(coin.get("total_supply")),
        max_supply=amount_or_none(coin.get("max_supply")),
        tags=_first(_MOST_TAGS, _tags(coin.get("tags"))),
        links=_links(coin.get("urls")),
    )


def _tags(value: object) -> Iterator[str]:
    for tag in value if isinstance(value, list) else ():
        try:
            yield text_from(tag.get("slug") if isinstance(tag, dict) else tag, longest=_LONGEST_TAG)
        except ValueError:
            continue


def _links(value: object) -> dict[str, tuple[str, ...]]:
    """Kinds without a link are left out."""
    links: dict[str, tuple[str, ...]] = {}
    for kind, addresses in value.items() if isinstance(value, dict) else ():
        if _is_kind(kind) and (usable := _first(_MOST_LINKS, _addresses(addresses))):
            links[kind] = usable
            if len(links) == _MOST_KINDS:
                break
    return links


def _addresses(value: object) -> Iterator[str]:
    for address in value if isinstance(value, list) else ():
        try:
            yield _address_from(address)
        except ValueError:
            continue


def _address_from(value: object) -> str:
    text = text_from(value, longest=_LONGEST_LINK)
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or _NOT_IN_LINKS.search(text):
        raise ValueError("no address that anybody should follow")
    if "@" in parts.netloc:
        raise ValueError("what stands before the @ makes it look like another address")
    return text


def _first(most: int, values: Iterable[str]) -> tuple[str, ...]:
    """So many of them, each once."""
    return tuple(islice(dict.fromkeys(values), most))
