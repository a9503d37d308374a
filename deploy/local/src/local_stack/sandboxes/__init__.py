"""Companies that the platform depends on, made up: a payment provider, a carrier, a stock.

One process with an HTTP API for each, at `/payments`, `/carrier` and `/stock`, and one at
`/control` by which they are told to misbehave. Their books are in memory: a sandbox that is
started again has forgotten everything, which no real one does.
"""
