"""A matter in, what every event about it says out."""

from typing import Any

from shared_events.common import MatterFact


def ids_of(about: MatterFact) -> dict[str, Any]:
    """Whom a matter is about, for the constructor of any fact about it."""
    return {name: getattr(about, name) for name in MatterFact.__struct_fields__}
