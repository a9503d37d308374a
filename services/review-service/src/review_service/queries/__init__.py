"""Rows in, answers out: what is read of many orders at once."""
