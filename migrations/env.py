"""Alembic's entry: writes the SQL of the steps. `migrations.upgrade` executes it."""

from alembic import context

context.configure(
    dialect_name=context.config.attributes["dialect"],
    # Alembic's own begin and commit stay away: the steps and the lock share one transaction.
    transactional_ddl=False,
    # With other styles a % in a step would be doubled.
    dialect_opts={"paramstyle": "named"},
)
with context.begin_transaction():
    context.run_migrations()
