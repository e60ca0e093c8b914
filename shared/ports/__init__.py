"""The protocols between the processes and the world, in the domain's verbs: the store, the queue, the sources."""

from shared.ports.queue import (
    Announced,
    Batch,
    DeadLetter,
    Delivery,
    Gap,
    LostClaim,
    Outage,
    Queue,
    QueueDepth,
    StreamEvent,
)
from shared.ports.sources import (
    Call,
    CatalogSource,
    Parsed,
    PriceSource,
    ProfileSource,
    Quotes,
    RankingSource,
    Source,
    UpstreamAnswer,
)
from shared.ports.storage import Connections, Description, Storage

__all__ = [
    "Announced",
    "Batch",
    "Call",
    "CatalogSource",
    "Connections",
    "DeadLetter",
    "Delivery",
    "Description",
    "Gap",
    "LostClaim",
    "Outage",
    "Parsed",
    "PriceSource",
    "ProfileSource",
    "Queue",
    "QueueDepth",
    "Quotes",
    "RankingSource",
    "Source",
    "Storage",
    "StreamEvent",
    "UpstreamAnswer",
]
