"""Three stars in, one overall star value out."""


def overall_stars(quality: int, logistics: int, service: int) -> int:
    """The mean of the three, rounded half up: 1..5."""
    return (2 * (quality + logistics + service) + 3) // 6
