"""Backups of the embedded form. PostgreSQL has its own tools: pg_dump and pg_restore."""
