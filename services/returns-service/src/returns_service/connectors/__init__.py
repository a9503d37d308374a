"""What is asked of companies outside by itself, and what comes of their answers."""
