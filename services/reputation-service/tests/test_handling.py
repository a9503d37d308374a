"""A story: what a seller does with questions, complaints and returns is worth points, measured.

Both sellers have had the same reviews. What happens to the one happens to the other; they differ
in how they handle it.
"""

from msgspec import Struct
from reputation_service.domain.facts import micros
from reputation_service.domain.policy import DEFAULT
from reputation_service.domain.read import DimensionScore
from reputation_service.domain.replay import Replayed
from reputation_service.testing.histories import (
    DAY,
    START,
    a_log,
    completed,
    dispute_closed,
    disputed,
    ids,
    inquiry_closed,
    return_closed,
    reviewed,
    tell,
)

PROMPT, SLOW = "prompt", "slow"
SLA = 86_400
POINT = 1_000_000


class Shop:
    """A seller of whom twenty orders were reviewed, and what is told of him since."""

    def __init__(self, seller: str) -> None:
        self.seller = seller
        self.known = Replayed(DEFAULT.sla)

    async def told(self, *events: Struct) -> "Shop":
        for recorded in await tell(*events, log=a_log()):
            self.known.take(recorded)
        return self

    @property
    def score(self) -> int:
        (account,) = self.known.accounts(micros(START + 60 * DAY), DEFAULT)
        return account.standing(DEFAULT).score.score_micro

    def dimension(self, name: str) -> DimensionScore:
        (account,) = self.known.accounts(micros(START + 60 * DAY), DEFAULT)
        found = account.standing(DEFAULT).score.dimensions
        return next(each for each in found if each.rules.name == name)


async def shops() -> tuple[Shop, Shop]:
    prompt, slow = Shop(PROMPT), Shop(SLOW)
    for shop in (prompt, slow):
        of = [ids(n, shop.seller) for n in range(20)]
        await shop.told(*[reviewed(each, START) for each in of])
    assert prompt.score == slow.score
    return prompt, slow


async def test_who_answers_questions_in_time_gains_what_who_does_not_loses() -> None:
    prompt, slow = await shops()
    before = prompt.score
    for n in range(10):
        await prompt.told(inquiry_closed(ids(n, PROMPT), START, response_seconds=SLA // 2))
        await slow.told(
            inquiry_closed(ids(n, SLOW), START, answered=False, within_sla=False, overdue=True)
        )
    assert prompt.score > before > slow.score
    assert prompt.score - slow.score > POINT // 2
    late = Shop(PROMPT)
    for n in range(10):
        await late.told(inquiry_closed(ids(n, PROMPT), START, response_seconds=2 * SLA))
    lcbs = [each.dimension("inquiries").lcb_nano for each in (prompt, late, slow)]
    assert lcbs == sorted(lcbs, reverse=True)


async def test_who_settles_complaints_gains_and_who_is_silent_loses_most() -> None:
    prompt, slow = await shops()
    decided = Shop(PROMPT)
    before = prompt.score
    for n in range(5):
        of, silent = ids(n, PROMPT), ids(n, SLOW)
        settled = dispute_closed(
            of, START, "SETTLED", resolved_by_seller=True, first_response_seconds=3_600
        )
        await prompt.told(disputed(of, START), settled)
        await slow.told(disputed(silent, START), dispute_closed(silent, START, "DEFAULT"))
        await decided.told(disputed(of, START), dispute_closed(of, START, "DECIDED"))
    assert prompt.score > before > slow.score
    assert prompt.score - slow.score > 3 * POINT
    bounds = [each.dimension("dispute").lcb_nano for each in (prompt, decided, slow)]
    assert bounds == sorted(bounds, reverse=True)


async def test_a_complaint_settled_at_once_costs_less_than_the_order_had_gained() -> None:
    """The order without a dispute is worth a quarter, the settled dispute a full one."""
    prompt, _ = await shops()
    of = ids(1, PROMPT)
    await prompt.told(completed(of, START))
    with_the_order = prompt.score
    settled = dispute_closed(of, START, "SETTLED", resolved_by_seller=True)
    await prompt.told(disputed(of, START))
    assert prompt.score < with_the_order
    await prompt.told(settled)
    assert prompt.score > with_the_order - POINT // 10


async def test_who_decides_returns_in_time_gains_and_who_must_be_forced_loses() -> None:
    prompt, slow = await shops()
    before = prompt.score
    for n in range(10):
        await prompt.told(return_closed(ids(n, PROMPT), START, decision_seconds=3_600))
        await slow.told(
            return_closed(ids(n, SLOW), START, forced=True, timely=False, decision_seconds=900_000)
        )
    assert prompt.score > before > slow.score
    assert prompt.score - slow.score > POINT


async def test_a_withdrawn_complaint_leaves_what_was_there_before_it() -> None:
    prompt, _ = await shops()
    of = ids(1, PROMPT)
    await prompt.told(completed(of, START))
    before = prompt.score
    await prompt.told(disputed(of, START))
    assert prompt.score < before
    await prompt.told(dispute_closed(of, START, "WITHDRAWN"))
    assert prompt.score == before


async def test_what_the_platform_has_left_undecided_is_nobodys_fault() -> None:
    prompt, _ = await shops()
    of = ids(1, PROMPT)
    before = prompt.score
    await prompt.told(disputed(of, START), dispute_closed(of, START, "PLATFORM"))
    assert prompt.score == before
    # But the order did not pass without a dispute.
    await prompt.told(completed(of, START))
    assert prompt.score == before


async def test_a_parcel_that_was_lost_on_its_way_back_says_nothing_of_the_seller() -> None:
    prompt, _ = await shops()
    before = prompt.score
    await prompt.told(return_closed(ids(1, PROMPT), START, resolution="LOST", timely=False))
    assert prompt.score == before
