"""Nobody judges what is his own, nor what he has judged before."""

import pytest
from shared_casework.impartial import Ground, Stakes, conflict_of, require_impartial
from shared_casework.parties import Account, parties_of
from shared_runtime.decider import Actor, ConflictOfInterest

OF_ORDER = parties_of(buyer_id="B1", seller_id="S1")
STAKES = Stakes(
    parties=OF_ORDER | {Account("STAFF", "M7"), Account("BUYER", "B7")},
    organisations=frozenset({"acme"}),
    deciders=frozenset({"M2"}),
    opened_by="AN1",
)


def judge(id_: str, org_id: str | None = None, seller_id: str | None = None) -> Actor:
    return Actor(role="MODERATOR", id=id_, org_id=org_id, seller_id=seller_id)


@pytest.mark.parametrize(
    ("who", "ground"),
    [
        (judge("M1"), None),
        (judge("M1", org_id="desk"), None),
        (judge("B1"), "PARTY"),
        (judge("S1"), "PARTY"),
        (judge("M1", seller_id="S1"), "PARTY"),
        (judge("S1", seller_id="S9"), None),
        (judge("B7"), "PARTY"),
        (judge("M7"), "PARTY"),
        (judge("M1", org_id="acme"), "ORGANISATION"),
        (judge("M2"), "EARLIER_DECISION"),
        (judge("AN1"), "OWN_CASE"),
        (judge("M2", org_id="acme"), "ORGANISATION"),
    ],
)
def test_who_has_a_stake_does_not_judge_and_is_told_the_first_ground(
    who: Actor, ground: Ground | None
) -> None:
    assert conflict_of(who, STAKES) == ground
    if ground is None:
        require_impartial(who, STAKES)
        return
    with pytest.raises(ConflictOfInterest) as refused:
        require_impartial(who, STAKES)
    assert refused.value.ground == ground


def test_one_decision_before_bars_from_that_matter_alone() -> None:
    assert conflict_of(judge("M2"), Stakes(parties=OF_ORDER)) is None
