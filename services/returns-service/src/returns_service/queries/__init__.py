"""Rows in, what is shown of many refunds at once out, a file for each kind of question."""
