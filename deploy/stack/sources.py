"""Which sources a stack asks: what the user set, else the simulator."""

from dataclasses import dataclass

from shared.settings import SIMULATOR, Settings

_NAMED_BY_THE_USER = {
    "sources",
    "coinmarketcap_api_key",
    "coinmarketcap_url",
    "cryptocompare_api_key",
    "cryptocompare_url",
    "frankfurter_url",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """`names`: for SOURCES. `starts_simulator`: whether the stack runs one of its own."""

    names: tuple[str, ...]
    starts_simulator: bool

    @property
    def is_simulated(self) -> bool:
        """Simulated rates are kept apart from real ones."""
        return SIMULATOR in self.names


def chosen_sources(settings: Settings) -> Choice:
    is_named = bool(settings.model_fields_set & _NAMED_BY_THE_USER)
    names = settings.sources if is_named else (SIMULATOR,)
    has_own = "simulator_url" in settings.model_fields_set
    return Choice(names, starts_simulator=SIMULATOR in names and not has_own)
