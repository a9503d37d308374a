"""Whole histories of orders, a line each, in; recorded events out.

The same lines come by HTTP (`POST /v1/orders/bulk`) and by the topic `marketplace.orders`.
"""
