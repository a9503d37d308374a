"""What the OpenAPI page says of answers: their schemas, and examples that the code itself makes."""

from collections import Counter
from collections.abc import Sequence
from functools import partial

from shared_runtime.documents import answered

from reputation_service.conduct_views import (
    ConductExplanationView,
    ConductView,
    OwnConductExplanationView,
    conduct_view,
    own_conduct_explanation_view,
)
from reputation_service.domain.account import Explanation, Listed, Ranked, ScoredAccount
from reputation_service.domain.audited import AuditedAccount
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
from reputation_service.domain.policy import (
    CONDUCT,
    DEFAULT,
    STARS,
    ScorePolicy,
    always,
    of_conduct,
)
from reputation_service.domain.readers import CONCEALING
from reputation_service.explanation_views import (
    ExplanationView,
    OwnExplanationView,
    PublicExplanationView,
    own_explanation_view,
)
from reputation_service.references import References
from reputation_service.views import (
    AccountPage,
    AuditedPage,
    FullScoreView,
    OwnScoreView,
    RankingPage,
    ScoreView,
    account_view,
    ranked_view,
    score_view,
)

SELLER = "S-17"
BUYER = "B-42"
DAY = 20_454  # 2026-01-01
AS_OF = DAY * DAY_MICROS + DAY_MICROS // 2


def _facts(account_id: str, dimensions: Sequence[str]) -> list[Fact]:
    """Twelve reviews, two a week, the newest of which weighs nothing while it is looked at."""
    return [
        Fact(
            account_id,
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
        for dimension in dimensions
    ]


def _account(account_id: str, facts: Sequence[Fact]) -> ScoredAccount:
    instants = [AS_OF, *(look.as_of for look in evaluations(AS_OF, DEFAULT))]
    return ScoredAccount(
        seller_id=account_id,
        as_of=AS_OF,
        policy_at=always(DEFAULT),
        buckets_at={
            at: fold(fact for fact in facts if fact.recorded_at <= at)[account_id]
            for at in instants
        },
    )


def _explanation(account_id: str, facts: Sequence[Fact], policy: ScorePolicy) -> Explanation:
    """As he is told of it himself: without the review that is looked at."""
    concealed = {fact for fact in facts if not set(CONCEALING).isdisjoint(fact.reasons)}
    counts = Counter((fact.dimension, alike(fact), fact in concealed) for fact in facts)
    groups = [
        Group(dimension, *said, True, is_concealed, False, events)
        for (dimension, said, is_concealed), events in counts.items()
    ]
    shown = [fact for fact in facts if fact not in concealed]
    explained = explain_counted(groups, DAY, policy)
    shares = explain(explained.buckets, facts, explained.score)
    return Explanation(
        account_id=account_id,
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


_REVIEWS, _RATINGS = _facts(SELLER, STARS), _facts(BUYER, [CONDUCT])
ACCOUNT, BUYING = _account(SELLER, _REVIEWS), _account(BUYER, _RATINGS)
_STANDING = ACCOUNT.standing()
_SCORE = score_view(ACCOUNT, _STANDING, _STANDING.score, "HOLDER")
_NAME_OF = partial(References(b"an example").of, SELLER, SELLER)
_EXPLANATION = own_explanation_view(_explanation(SELLER, _REVIEWS, DEFAULT), ["R-5"], _NAME_OF)
_CONDUCT = own_conduct_explanation_view(
    _explanation(BUYER, _RATINGS, of_conduct(DEFAULT)), ["R-5"], _NAME_OF
)
_RANKED = Ranked(
    seller_id=SELLER,
    score_micro=_STANDING.score.score_micro,
    public_level=_STANDING.level.public,
    real_level=None,
    rated=_STANDING.score.is_rated,
    stars_micro=_STANDING.score.overall_stars_micro,
    recent_milli=_STANDING.score.recent_milli,
    as_of=instant(AS_OF),
)
PAGE_OF_ACCOUNTS = AccountPage(
    as_of=instant(AS_OF),
    policy_id=DEFAULT.policy_id,
    items=[account_view(ACCOUNT)],
    next_cursor=None,
)
_AUDITED = AuditedPage(
    as_of=instant(AS_OF),
    items=[
        AuditedAccount(
            account=f"seller-{SELLER}",
            status="ACTIVE",
            balance=98,
            level="NORMAL",
            public_level="NORMAL",
            measures=("WARNING",),
        )
    ],
    next_cursor=None,
)
AUDITED = answered(AuditedPage, example=_AUDITED)
SCORE = answered(FullScoreView, OwnScoreView, ScoreView, example=_SCORE)
EXPLANATION = answered(
    ExplanationView, OwnExplanationView, PublicExplanationView, example=_EXPLANATION
)
CONDUCT_SCORE = answered(ConductView, example=conduct_view(BUYING))
CONDUCT_EXPLANATION = answered(ConductExplanationView, OwnConductExplanationView, example=_CONDUCT)
RANKING = answered(RankingPage, example=RankingPage(items=[ranked_view(_RANKED)], next_cursor=None))
ACCOUNTS = answered(AccountPage, example=PAGE_OF_ACCOUNTS)
