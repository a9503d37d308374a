"""PostgreSQL, Kafka and the services on this machine, without containers."""
