"""What happens by itself: on own events, on those of other services, on passed deadlines."""
