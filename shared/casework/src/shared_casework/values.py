"""A value that no bound of its type can judge in, a refusal that names it or nothing out."""

from datetime import UTC, datetime

from shared_runtime.decider import FieldError, InvalidValue


def refuse(field: str, bound: str) -> InvalidValue:
    """To be raised: the field, and in words what it should have been."""
    return InvalidValue(errors=[FieldError(field=field, bound=bound)])


def require_currency(told: str | None, currency: str) -> None:
    """Raises `InvalidValue` if it is another one than the order's; None: no money is named."""
    if told not in (None, currency):
        raise refuse("currency", f"that of the order: {currency}")


def utc(instant: datetime) -> datetime:
    """The same instant as events have it, whatever offset it was told with."""
    return instant.astimezone(UTC)
