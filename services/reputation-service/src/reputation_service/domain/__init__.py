"""Facts in, scores out: integers and nothing else, so that two programs agree to the last bit."""
