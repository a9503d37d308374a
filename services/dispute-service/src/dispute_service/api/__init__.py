"""Disputes and inquiries over HTTP."""
