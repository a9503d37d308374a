"""The sellers of the demo marketplace, each with a story that its name tells.

Days count back from the end of the story: 540 is a year and a half ago, 0 is now.
"""

from dataclasses import dataclass

OPENING_DAYS = 540

type Stars = tuple[int, int, int, int, int]
"""How often one to five stars are given, relative to each other."""

GREAT: Stars = (1, 1, 3, 15, 80)
GOOD: Stars = (2, 3, 8, 32, 55)
FAIR: Stars = (8, 9, 20, 33, 30)
POOR: Stars = (42, 24, 18, 10, 6)
SPLIT: Stars = (30, 4, 2, 4, 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """How it goes from day `since` on, until the next phase."""

    since: int
    stars: Stars
    service: Stars | None = None
    late: float = 0.06
    cancelled: float = 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """Bad reviews of accounts that were made for it, all within two days around `day`."""

    day: int
    orders: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One seller. `orders` in a marketplace of 3,000; `open`: the spans in which he sells."""

    seller_id: str
    orders: int
    phases: tuple[Phase, ...]
    open: tuple[tuple[int, int], ...] = ((OPENING_DAYS, 0),)
    price: tuple[int, int] = (900, 9000)
    reviewed: float = 0.7
    gifts: float = 0.0
    burst: Burst | None = None


def _always(stars: Stars, *, late: float = 0.06, cancelled: float = 0.03) -> tuple[Phase, ...]:
    return (Phase(since=OPENING_DAYS, stars=stars, late=late, cancelled=cancelled),)


def _ordinary(seller_id: str, orders: int, stars: Stars) -> Story:
    return Story(seller_id=seller_id, orders=orders, phases=_always(stars))


STORIES: tuple[Story, ...] = (
    Story(seller_id="steady-books", orders=140, phases=_always(GREAT, late=0.01)),
    Story(seller_id="prompt-parts", orders=130, phases=_always(GOOD, late=0.0)),
    Story(seller_id="slow-ceramics", orders=90, phases=_always(GREAT, late=0.6)),
    Story(seller_id="newcomer-candles", orders=7, phases=_always(GREAT), open=((24, 10),)),
    Story(seller_id="newcomer-kites", orders=22, phases=_always(GOOD), open=((60, 4),)),
    Story(
        seller_id="recovering-shoes",
        orders=130,
        phases=(
            Phase(since=OPENING_DAYS, stars=POOR, late=0.4),
            Phase(since=240, stars=GREAT, late=0.02),
        ),
    ),
    Story(
        seller_id="fading-phones",
        orders=130,
        phases=(
            Phase(since=OPENING_DAYS, stars=GREAT, late=0.02),
            Phase(since=100, stars=POOR, late=0.35),
        ),
    ),
    Story(
        seller_id="burst-bags",
        orders=120,
        phases=_always(GREAT),
        burst=Burst(day=40, orders=30),
    ),
    Story(seller_id="dormant-gardens", orders=60, phases=_always(GREAT), open=((540, 400),)),
    Story(seller_id="seasonal-lights", orders=80, phases=_always(GOOD), open=((420, 360), (70, 5))),
    Story(seller_id="big-bazaar", orders=400, phases=_always(FAIR, late=0.1)),
    Story(seller_id="big-warehouse", orders=340, phases=_always(GOOD)),
    Story(seller_id="small-violins", orders=14, phases=_always(GREAT), price=(40_000, 190_000)),
    Story(seller_id="small-orchards", orders=18, phases=_always(GOOD)),
    Story(seller_id="cheap-stickers", orders=70, phases=_always(GREAT), price=(90, 260)),
    Story(seller_id="gifted-gadgets", orders=70, phases=_always(GREAT), gifts=0.85),
    Story(seller_id="careless-lamps", orders=100, phases=_always(POOR, late=0.3, cancelled=0.1)),
    Story(
        seller_id="rude-repairs",
        orders=80,
        phases=(Phase(since=OPENING_DAYS, stars=GOOD, service=POOR),),
    ),
    Story(seller_id="sold-out-toys", orders=90, phases=_always(FAIR, cancelled=0.35)),
    Story(seller_id="quiet-quilts", orders=80, phases=_always(GOOD), reviewed=0.12),
    Story(seller_id="mixed-market", orders=110, phases=_always(SPLIT)),
    _ordinary("corner-coffee", 70, GOOD),
    _ordinary("valley-wines", 70, GOOD),
    _ordinary("harbour-maps", 60, GOOD),
    _ordinary("north-knits", 60, GREAT),
    _ordinary("pixel-prints", 60, FAIR),
    _ordinary("river-rods", 50, FAIR),
    _ordinary("field-frames", 50, GOOD),
    _ordinary("tidy-tools", 60, GOOD),
    _ordinary("kitchen-kin", 60, FAIR),
    _ordinary("plain-paints", 50, FAIR),
    _ordinary("oak-and-ash", 50, GOOD),
    _ordinary("meadow-honey", 40, GREAT),
    _ordinary("attic-finds", 39, SPLIT),
)
