"""What the OpenAPI page says of policies: schemas, and examples that the code itself makes."""

from collections.abc import Sequence

from shared_events.score_policies import ScorePolicyTrialEnded
from shared_runtime.documents import answered, commanded

from reputation_service.domain.facts import DAY_MICROS
from reputation_service.domain.policy import DEFAULT
from reputation_service.domain.policy_book import Activation, Draft, PolicyBook, Trial
from reputation_service.policy_views import (
    ImpactView,
    PolicyPage,
    PolicyView,
    Shown,
    StaffPolicyView,
    WhatIfView,
    what_if_view,
)

NOW = 20_454 * DAY_MICROS  # 2026-01-01
DRAFT_ID = "ours-2026"


def page(items: Sequence[PolicyView]) -> PolicyPage:
    return PolicyPage(items=list(items))


_TRIAL = Trial(
    trial_id="3c0f9a52-5b41-5d0e-9a56-0d1f7a6a2c11",
    policy_id=DRAFT_ID,
    against=DEFAULT.policy_id,
    as_of=NOW,
    ended=ScorePolicyTrialEnded(
        policy_id=DRAFT_ID,
        trial_id="3c0f9a52-5b41-5d0e-9a56-0d1f7a6a2c11",
        sellers=1214,
        up=18,
        down=41,
        rated_changed=0,
        caps_changed=2,
        sum_abs_delta_micro=96_482_113,
        max_abs_delta_micro=1_204_551,
    ),
)
_BOOK = PolicyBook(
    drafts={DRAFT_ID: Draft(DEFAULT, "analyst-1")},
    trials={_TRIAL.trial_id: _TRIAL},
    activations=(Activation(DRAFT_ID, NOW + DAY_MICROS),),
)
_SHOWN = Shown(book=_BOOK, base=DEFAULT, now=NOW, staff=True)
_POLICY = _SHOWN.one(DRAFT_ID)
_IMPACT = ImpactView(
    seller_id="S-17",
    score_before_micro=66_412_207,
    score_after_micro=65_207_656,
    delta_micro=-1_204_551,
    level_before="GREEN",
    level_after="YELLOW",
    cap_before="NORMAL",
    cap_after="NORMAL",
)
POLICIES = answered(PolicyPage, example=page(_SHOWN.all()))
POLICY = answered(StaffPolicyView, PolicyView, example=_POLICY)
POLICY_COMMAND = commanded(StaffPolicyView, _POLICY)
WHAT_IF = answered(
    WhatIfView,
    example=what_if_view(
        _TRIAL,
        DEFAULT,
        progress=None,
        matrix={"GREEN>GREEN": 546, "GREEN>YELLOW": 41, "YELLOW>GREEN": 18},
        items=[_IMPACT],
        next_cursor=None,
    ),
)
