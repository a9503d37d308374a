"""What happens elsewhere, and passed deadlines, in; commands out."""
