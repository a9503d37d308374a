"""Owns `return-<id>` and `refunds-<order id>`, announces on `returns.events`, reacts to orders."""
