"""Rows in, answers out: how people stand at any instant, why, and what is open about them."""
