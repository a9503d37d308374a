"""Seller scores, from what the other services record.

Owns the streams `seller-<id>`, announces the weekly evaluation of each seller (ScoreEvaluated) on
`reputation.events`; reacts to no one: it folds orders, reviews, disputes and returns.
"""
