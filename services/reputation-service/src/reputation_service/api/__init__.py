"""HTTP in, scores out."""
