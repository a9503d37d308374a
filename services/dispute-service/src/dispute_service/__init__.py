"""Owns `inquiry-<id>` and `dispute-<id>`, announces on `dispute.events`, reacts to orders."""
