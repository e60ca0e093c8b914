"""The one client of all sources: whoever visits a source does it through `Upstream`."""

from shared.upstream.client import Reply, Upstream
from shared.upstream.shared_allowance import AllowanceKeeper

__all__ = ["AllowanceKeeper", "Reply", "Upstream"]
