"""The production shape of freshrate without Docker: PostgreSQL, Valkey, the API and the workers, as processes."""
