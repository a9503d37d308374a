"""Rows and histories in, answers out: what is read of many matters at once, or of all about one."""
