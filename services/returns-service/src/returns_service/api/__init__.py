"""The edge to HTTP: routes over the ledgers, for people and connectors."""
