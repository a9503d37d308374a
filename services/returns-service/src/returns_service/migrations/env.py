"""Alembic asks this file how to run: on the connection that `shared_runtime.migrate` opened."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
