"""The random walk behind every price: a pure function of seed, lane and time, so any moment can be looked at directly.

A walk is the sum of layers of noise: layer k has a random value every 64 * 2^k milliseconds, straight lines between,
and a height that grows with the square root of that period, as the spread of a random walk does. The slowest layer
turns in 6.2 days, so a walk wanders but never runs away: prices stay roughly where their coins are known.
"""

from functools import lru_cache
from math import sqrt

_DAY_MS = 86_400_000
_FASTEST_MS = 64
_LAYERS = 24
_DAILY_SPREAD = 0.03
_MASK = (1 << 64) - 1

_layers = tuple(
    (layer, _FASTEST_MS << layer, 0.8 * _DAILY_SPREAD * sqrt((_FASTEST_MS << layer) / _DAY_MS))
    for layer in range(_LAYERS)
)
"""Number, period in milliseconds, height."""


def scrambled(*numbers: int) -> int:
    """64 bits that depend on all the numbers and show no pattern (the finaliser of SplitMix64)."""
    bits = 0
    for number in numbers:
        bits = (bits + number * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) & _MASK
        bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & _MASK
        bits ^= bits >> 31
    return bits


def fraction(*numbers: int) -> float:
    """0 to 1, from the numbers."""
    return scrambled(*numbers) / (_MASK + 1)


@lru_cache(maxsize=1 << 15)
def _node(seed: int, lane: int, layer: int, index: int) -> float:
    return 2 * fraction(seed, lane, layer, index) - 1


def walk(seed: int, lane: int, ms: int) -> float:
    """Where the lane's walk stands at a time, in milliseconds since 1970: a logarithm, mostly within 0.1 of zero."""
    total = 0.0
    for layer, period, height in _layers:
        index, beyond = divmod(ms, period)
        left = _node(seed, lane, layer, index)
        total += height * (left + (_node(seed, lane, layer, index + 1) - left) * (beyond / period))
    return total
