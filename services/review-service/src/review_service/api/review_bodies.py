"""What clients send about reviews: what both sides write, and what moderators decide."""

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field
from shared_events.review import FlagReason, Ground, Incentive, Restriction, ScreeningTerm
from shared_runtime.decider import FieldError, InvalidValue
from shared_runtime.fields import MINOR_MAX, Body, IdStr, Instant, readable

from review_service.api import examples
from review_service.bulk.line import REVIEW_LENGTH_MAX
from review_service.domain.screening import TERM_NAME

REPLY_LENGTH_MAX = 2_000
FACTS_LENGTH_MAX = 5_000
MEDIA_MAX = 10
RULES_MAX = 20
FLAGS_MAX = 100
TERMS_MAX = 50

type Stars = Annotated[int, Field(ge=1, le=5)]
type StatedAt = Annotated[
    Instant | None, Field(description="When it happened, if an importer tells; else it is now.")
]
type OnBehalfOf = Annotated[
    Literal["BUYER", "SELLER"] | None, Field(description="Whose it is, if an importer brings it.")
]
STARS = ("quality", "logistics", "service")


type ReviewText = Annotated[
    str, Field(min_length=1, max_length=REVIEW_LENGTH_MAX), AfterValidator(readable)
]
type ReplyText = Annotated[
    str, Field(min_length=1, max_length=REPLY_LENGTH_MAX), AfterValidator(readable)
]
type FactsText = Annotated[
    str, Field(min_length=1, max_length=FACTS_LENGTH_MAX), AfterValidator(readable)
]
type MediaIds = Annotated[list[IdStr], Field(max_length=MEDIA_MAX)]
type RuleIds = Annotated[list[IdStr], Field(max_length=RULES_MAX)]


class PersonBody(Body):
    """What a party sends. An importer says on whose behalf, and when it was."""

    on_behalf_of: OnBehalfOf = None
    at: StatedAt = None


class ReviewContentBody(PersonBody):
    """A buyer gives three stars and says what he got for it; a seller rates the buyer."""

    quality: Stars | None = None
    logistics: Stars | None = None
    service: Stars | None = None
    incentive: Incentive | None = None
    rating: Stars | None = None
    text: ReviewText | None = None
    media: MediaIds = Field(default=[], description="Ids of files that you have uploaded.")

    def check(self) -> None:
        """Raises `InvalidValue` naming what is missing, or is too much, for either side."""
        missing = [name for name in STARS if getattr(self, name) is None]
        if self.rating is None:
            _check(missing, "required, unless with a rating")
            _check([] if self.incentive else ["incentive"], "required: NONE if you got nothing")
            return
        odd = [name for name in STARS if name not in missing]
        odd += [name for name in ("incentive", "media") if getattr(self, name)]
        _check(odd, "not with a rating: it is the seller's")


class ReviewBody(ReviewContentBody):
    """What a side writes, once."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [examples.BUYER_REVIEW, examples.SELLER_REVIEW]}
    )


class AmendmentBody(ReviewContentBody):
    """Replaces the whole of what was written."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [examples.BUYER_REVIEW, examples.SELLER_REVIEW]}
    )


class WithdrawalBody(PersonBody):
    model_config = ConfigDict(json_schema_extra={"examples": [{}]})


class ReplyBody(PersonBody):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": "Thank you. The next one comes in a box."}]}
    )

    text: ReplyText


class FollowUpBody(PersonBody):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": "Half a year later it still shines."}]}
    )

    text: ReplyText
    media: MediaIds = Field(default=[], description="Ids of files that you have uploaded.")


class RevisionRequestBody(PersonBody):
    model_config = ConfigDict(json_schema_extra={"examples": [{}]})


class RevisionBody(PersonBody):
    """The stars of now. What was written before stays readable."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"quality": 5, "logistics": 2, "service": 5, "text": "They sent a new one."}
            ]
        }
    )

    quality: Stars
    logistics: Stars
    service: Stars
    text: ReviewText | None = None


class FlagBody(Body):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "PERSONAL_DATA", "text": "It names my street."}]}
    )

    reason: FlagReason
    text: ReplyText | None = None


class TermBody(Body):
    name: Annotated[str, Field(pattern=TERM_NAME.pattern)]
    value_milli: Annotated[int, Field(ge=-MINOR_MAX, le=MINOR_MAX)]

    def term(self) -> ScreeningTerm:
        return ScreeningTerm(name=self.name, value_milli=self.value_milli)


class ScreeningBody(Body):
    """A detector's result: how much of the weight is left, and what it looked at."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "factor_milli": 400,
                    "campaign": True,
                    "terms": [{"name": "BURST", "value_milli": 850}],
                    "calibration": "burst-2026-01",
                }
            ]
        }
    )

    factor_milli: Annotated[int, Field(ge=50, le=1000)]
    campaign: bool
    terms: Annotated[list[TermBody], Field(max_length=TERMS_MAX)]
    calibration: IdStr


class HoldBody(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"ground": "PERSONAL_DATA"}]})

    ground: Ground


class ReleaseBody(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{}]})


class KeepBody(Body):
    """The flags that it answers, and the rules that the review does not break."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"flag_ids": ["F-1"], "rule_ids": ["R-3"]}]}
    )

    flag_ids: Annotated[list[IdStr], Field(max_length=FLAGS_MAX)]
    rule_ids: RuleIds


class RestrictionBody(Body):
    """`explanation` and `facts` go to the author, `facts` sealed for him."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.RESTRICTION]})

    ground: Ground
    rule_ids: RuleIds
    facts: FactsText | None = None
    explanation: ReplyText | None = None
    measures: Annotated[list[Restriction], Field(max_length=4)]
    automated_detection: bool = False


class AppealBody(Body):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": "The name is the shop's own, not a person's."}]}
    )

    text: ReplyText


class AppealDecisionBody(Body):
    """`measures` are those of the restriction that a flagger's appeal leads to if REVERSED."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.APPEAL_DECISION]})

    outcome: Literal["UPHELD", "REVERSED"]
    rule_ids: RuleIds
    facts: FactsText | None = None
    explanation: ReplyText | None = None
    measures: Annotated[list[Restriction], Field(min_length=1, max_length=4)] = Field(
        default=["HIDE_REVIEW", "EXCLUDE_SCORE"]
    )


def _check(fields: list[str], bound: str) -> None:
    if fields:
        raise InvalidValue(errors=[FieldError(field=name, bound=bound) for name in fields])
