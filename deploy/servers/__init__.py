"""PostgreSQL and Valkey from wheels, as processes of one's own: no apt, no Docker, root or not."""
