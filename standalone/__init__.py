"""API and worker in one process, on SQLite and an in-process queue."""
