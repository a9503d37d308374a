"""Owns `order-<id>` and `evaluation-<order id>`, announces on `orders.events` and `review.events`,
reacts to the marketplace's own `marketplace.orders` and to its own orders.
"""
