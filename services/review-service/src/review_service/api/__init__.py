"""HTTP in, commands and answers out: a module for each resource."""
