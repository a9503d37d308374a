"""What the OpenAPI page says of answers: their schemas, and examples that the code itself makes."""

from collections import Counter
from functools import partial

from shared_runtime.documents import answered

from reputation_service.domain.account import Explanation, Listed, Ranked, ScoredAccount
from reputation_service.domain.explain import (
    Group,
    alike,
    excluded,
    explain,
    explain_counted,
    reduced,
)
from reputation_service.domain.facts import DAY_MICROS, Fact, Origin, instant
from reputation_service.domain.fold import fold
from reputation_service.domain.level import evaluations
from reputation_service.domain.policy import DEFAULT, STARS
from reputation_service.domain.readers import CONCEALING
from reputation_service.references import References
from reputation_service.views import (
    AccountPage,
    ExplanationView,
    FullScoreView,
    OwnExplanationView,
    OwnScoreView,
    PublicExplanationView,
    RankingPage,
    ScoreView,
    account_view,
    own_explanation_view,
    score_view,
)

SELLER = "S-17"
DAY = 20_454  # 2026-01-01
AS_OF = DAY * DAY_MICROS + DAY_MICROS // 2


def _facts() -> list[Fact]:
    """Twelve reviews, two a week, the newest of which weighs nothing while it is looked at."""
    return [
        Fact(
            SELLER,
            dimension,
            f"R-{number}",
            1,
            DAY - 1 - 3 * number,
            1000 if number else 0,
            4 if number % 5 else 2,
            (DAY - 3 * number) * DAY_MICROS,
            ("FULL",) if number else ("HELD",),
            Origin("review.events", 17, 140 - number),
        )
        for number in range(12)
        for dimension in STARS
    ]


def _account() -> ScoredAccount:
    instants = [AS_OF, *(look.as_of for look in evaluations(AS_OF, DEFAULT))]
    return ScoredAccount(
        seller_id=SELLER,
        as_of=AS_OF,
        buckets_at={
            at: fold(fact for fact in _facts() if fact.recorded_at <= at)[SELLER] for at in instants
        },
    )


def _explanation() -> Explanation:
    """As the seller is told of it: without the review that is looked at."""
    facts = _facts()
    concealed = {fact for fact in facts if not set(CONCEALING).isdisjoint(fact.reasons)}
    counts = Counter((fact.dimension, alike(fact), fact in concealed) for fact in facts)
    groups = [
        Group(dimension, *said, True, is_concealed, False, events)
        for (dimension, said, is_concealed), events in counts.items()
    ]
    shown = [fact for fact in facts if fact not in concealed]
    explained = explain_counted(groups, DAY, DEFAULT)
    shares = explain(explained.buckets, facts, explained.score)
    return Explanation(
        seller_id=SELLER,
        as_of=AS_OF,
        explained=explained,
        listed={
            name: [Listed(share.fact, share.printed_micro) for share in found.largest(2)]
            for name, found in shares.items()
        },
        excluded=excluded(shown),
        reduced=reduced(shown),
        about=shown,
    )


_ACCOUNT = _account()
_STANDING = _ACCOUNT.standing(DEFAULT)
_SCORE = score_view(_ACCOUNT, _STANDING, _STANDING.score, "SELLER")
_NAME_OF = partial(References(b"an example").of, SELLER, SELLER)
_EXPLANATION = own_explanation_view(_explanation(), ["R-5"], _NAME_OF)
_RANKED = Ranked(
    seller_id=SELLER,
    score_micro=_STANDING.score.score_micro,
    public_level=_STANDING.level.public,
    rated=_STANDING.score.is_rated,
    stars_micro=_STANDING.score.overall_stars_micro,
    recent_milli=_STANDING.score.recent_milli,
    as_of=instant(AS_OF),
)
_ACCOUNTS = AccountPage(
    as_of=instant(AS_OF),
    policy_id=DEFAULT.policy_id,
    items=[account_view(_ACCOUNT, DEFAULT)],
    next_cursor=None,
)
SCORE = answered(FullScoreView, OwnScoreView, ScoreView, example=_SCORE)
EXPLANATION = answered(
    ExplanationView, OwnExplanationView, PublicExplanationView, example=_EXPLANATION
)
RANKING = answered(RankingPage, example=RankingPage(items=[_RANKED], next_cursor=None))
ACCOUNTS = answered(AccountPage, example=_ACCOUNTS)
