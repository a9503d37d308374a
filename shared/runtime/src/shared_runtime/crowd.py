"""The connections of a server in, whoever has to go when they are too many out.

A client who is waited for gives way: first one who has been answered and asks for nothing, then one
in the middle of a head; in the end one whose body does not come or who does not read, for one who
asks. Whom the server is at work for stays.
"""

from enum import Enum, auto
from typing import Protocol

from prometheus_client import Counter

OPEN_MAX = 512
"""Connections of an API. The gateway has some tens; so many requests at once are far more than a
process answers in time."""
INSIDE_OPEN_MAX = 32
"""Of what only the platform asks: health of a worker, metrics."""
SPARE = 8
"""The part of them (an eighth) that requests never take: who opens a connection is heard, and
health is answered."""
LATE_SECONDS = 1.0
"""For how long a body, or the reading of an answer, gives way to nobody."""

LET_GO = Counter(
    "aftersales_http_let_go_total",
    "Connections that were closed to make room, by what their client was at.",
    ["place"],
)


class At(Enum):
    """What a connection is at. `UNDER_WAY`: a body that comes in, or an answer that is read: the
    client is waited for.
    """

    REST = auto()
    HEAD = auto()
    UNDER_WAY = auto()
    WORK = auto()


class Line(Protocol):
    """A connection."""

    def let_go(self) -> None:
        """Closes it, without waiting for its client."""
        ...


class Crowd:
    """All connections of a server: `most` at once."""

    def __init__(self, most: int) -> None:
        assert most >= SPARE, "some have to be heard, and some to be answered"
        self._most = most
        self._requests_max = most - most // SPARE
        self._at: dict[Line, At] = {}
        # By when they came to it: who has been there for longest is first.
        self._since: dict[At, dict[Line, float]] = {at: {} for at in At}

    def opens(self, line: Line, now: float) -> None:
        """A new one. It is heard: if they are too many, another one goes."""
        self.is_at(line, At.HEAD, now)
        if len(self._at) > self._most:
            self._let_go(At.REST if self._since[At.REST] else At.HEAD)

    def is_at(self, line: Line, at: At, now: float) -> None:
        """What it has come to. Nothing changes for one that was at it already."""
        before = self._at.get(line)
        if before is at:
            return
        if before is not None:
            del self._since[before][line]
        self._at[line] = at
        self._since[at][line] = now

    def goes_on(self, line: Line, now: float) -> None:
        """Its client has done his part for now: he has not been waited for since earlier."""
        if (at := self._at.get(line)) is not None:
            del self._since[at][line]
            self._since[at][line] = now

    def leaves(self, line: Line) -> None:
        if (at := self._at.pop(line, None)) is not None:
            del self._since[at][line]

    def has_room(self, line: Line, tasks: int, now: float) -> bool:
        """Whether the request that has come on it is worked on. `tasks`: what the server is at,
        for whoever has gone, too.
        """
        if len(self._since[At.UNDER_WAY]) + len(self._since[At.WORK]) <= self._requests_max:
            return tasks <= self._most
        longest, since = next(iter(self._since[At.UNDER_WAY].items()), (line, now))
        if longest is line or since > now - LATE_SECONDS:
            return False
        self._let_go(At.UNDER_WAY)
        return True

    def _let_go(self, at: At) -> None:
        longest = next(iter(self._since[at]))
        self.leaves(longest)
        LET_GO.labels(at.name).inc()
        longest.let_go()
