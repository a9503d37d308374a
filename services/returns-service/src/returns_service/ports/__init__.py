"""Companies that are asked over HTTP: the payment provider, the carrier, the stock.

What each of them answers is one of a closed set of values. Nothing is a no but its own definite
word: a time-out, a broken connection, a fault of its server, an answer that cannot be read, and "I
am still at it" are all the same, that nobody knows.
"""
