"""The numbers the business may change, version by version, and which version is in force when."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta

from shared_runtime.decider import PolicyUnknown


def _d(count: int) -> timedelta:
    return timedelta(days=count)


def _h(count: int) -> timedelta:
    return timedelta(hours=count)


type _Bound = tuple[timedelta, timedelta | None] | tuple[int, int | None]

BOUNDS: Mapping[str, _Bound] = {
    "order_auto_complete": (_d(0), _d(60)),
    "review_window": (_d(1), _d(100)),
    "review_min_after_pause": (_h(0), _h(360)),
    "review_pause_cap": (_d(30), _d(365)),
    "review_reply_window": (_d(1), _d(365)),
    "review_reply_edit": (_h(0), _h(168)),
    "review_followup_window": (_d(0), _d(365)),
    "review_revision_window": (_d(1), _d(60)),
    "review_flag_sla": (_d(1), _d(10)),
    "review_flags_per_day_max": (1, 1000),
    "review_hold_max": (_h(1), _h(168)),
    "review_campaign_max": (_d(1), _d(30)),
    "review_screening_span": (_d(0), _d(365)),
    "review_moderation_appeal": (_d(183), None),
    "review_appeal_sla": (_d(1), _d(30)),
    "review_retention": (_d(365), None),
    "review_min_value_ref_minor": (0, 5000),
    "review_repeat_sign_span": (_d(0), _d(60)),
    "review_repeat_span": (_d(0), _d(365)),
    "review_new_account_age": (_h(0), _h(720)),
    "review_new_account_cap_milli": (50, 1000),
    "review_weight_floor_milli": (1, 200),
}
"""The least and the greatest value of each number; None is no upper bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewPolicy:
    """One published version. Raises ValueError if a number is outside its bound."""

    version: str
    order_auto_complete: timedelta
    review_window: timedelta
    review_min_after_pause: timedelta
    review_pause_cap: timedelta
    review_reply_window: timedelta
    review_reply_edit: timedelta
    review_followup_window: timedelta
    review_revision_window: timedelta
    review_flag_sla: timedelta
    review_flags_per_day_max: int
    review_hold_max: timedelta
    review_campaign_max: timedelta
    review_screening_span: timedelta
    review_moderation_appeal: timedelta
    review_appeal_sla: timedelta
    review_retention: timedelta
    review_min_value_ref_minor: int
    review_repeat_sign_span: timedelta
    review_repeat_span: timedelta
    review_new_account_age: timedelta
    review_new_account_cap_milli: int
    review_weight_floor_milli: int

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.name == "version":
                continue
            value = getattr(self, field.name)
            least, greatest = BOUNDS[field.name]
            if value < least or (greatest is not None and value > greatest):
                upper = "any" if greatest is None else greatest
                raise ValueError(
                    f"policy {self.version}: {field.name} is {value}, allowed {least} .. {upper}"
                )


AE_2025_1 = ReviewPolicy(
    version="ae-2025-1",
    order_auto_complete=_d(7),
    review_window=_d(15),
    review_min_after_pause=_h(72),
    review_pause_cap=_d(120),
    review_reply_window=_d(30),
    review_reply_edit=_h(48),
    review_followup_window=_d(180),
    review_revision_window=_d(14),
    review_flag_sla=_d(5),
    review_flags_per_day_max=20,
    review_hold_max=_h(72),
    review_campaign_max=_d(14),
    review_screening_span=_d(90),
    review_moderation_appeal=_d(183),
    review_appeal_sla=_d(14),
    review_retention=_d(365),
    review_min_value_ref_minor=500,
    review_repeat_sign_span=_d(10),
    review_repeat_span=_d(180),
    review_new_account_age=_h(24),
    review_new_account_cap_milli=400,
    review_weight_floor_milli=50,
)
AE_30D = replace(AE_2025_1, version="ae-30d", review_window=_d(30))
PUBLISHED = (AE_2025_1, AE_30D)
"""A published version is never changed: streams that began with it keep it to their end."""
ALWAYS = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Policies:
    """Every published version by name, and since when each is the one for new streams."""

    by_version: Mapping[str, ReviewPolicy]
    schedule: Sequence[tuple[datetime, ReviewPolicy]]

    def of(self, version: str) -> ReviewPolicy:
        """The version a stream began with. Raises `PolicyUnknown`."""
        if policy := self.by_version.get(version):
            return policy
        raise PolicyUnknown(policy_version=version)

    def in_force(self, now: datetime) -> ReviewPolicy:
        """The version a new stream begins with. Raises `PolicyUnknown` before the first one."""
        for since, policy in reversed(self.schedule):
            if since <= now:
                return policy
        raise PolicyUnknown(policy_version="")


def policies(
    schedule: Iterable[tuple[datetime, str]] = ((ALWAYS, AE_2025_1.version),),
    published: Iterable[ReviewPolicy] = PUBLISHED,
) -> Policies:
    """The set of published versions with a schedule of (in force from, version).

    Raises `PolicyUnknown` if the schedule names a version that is not published.
    """
    by_version = {policy.version: policy for policy in published}
    known = Policies(by_version=by_version, schedule=())
    ordered = sorted(schedule, key=lambda entry: entry[0])
    return replace(known, schedule=[(since, known.of(version)) for since, version in ordered])
