"""The storage: PostgreSQL for any number of processes, SQLite for one. See `shared.ports.Storage`."""

from shared.storage.opening import open_storage

__all__ = ["open_storage"]
