"""A policy of the score in, the event that says all of it out; and back, the same."""

from shared_events.score_policies import (
    BalanceLimit,
    DimensionNumbers,
    LevelLimit,
    ScorePolicyDrafted,
)

from reputation_service.domain.policy import (
    BandLimit,
    ClampRules,
    CreditLevel,
    CreditRules,
    DimensionRules,
    RatedRules,
    ScorePolicy,
    SlaRules,
)


def drafted(policy: ScorePolicy, by: str) -> ScorePolicyDrafted:
    return ScorePolicyDrafted(
        policy_id=policy.policy_id,
        half_life_days=policy.half_life_days,
        keep_weeks=policy.keep_weeks,
        clamp_floor_milli=policy.clamp.floor_milli,
        clamp_kappa_milli=policy.clamp.kappa_milli,
        clamp_window_weeks=policy.clamp.window_weeks,
        z_milli=policy.z_milli,
        rated_dimension=policy.rated.dimension,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - a policy has no other
        rated_min_milli=policy.rated.min_milli,
        rated_window_weeks=policy.rated.window_weeks,
        dimensions=[
            DimensionNumbers(
                dimension=rules.name,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - nor other ones
                weight_milli=rules.weight_milli,
                prior_strength_milli=rules.prior_strength_milli,
                prior_mean_micro=rules.prior_mean_micro,
                display_mean_micro=rules.display_mean_micro,
                prior_var_micro=rules.prior_var_micro,
            )
            for rules in policy.dimensions
        ],
        clamped=[rules.name for rules in policy.dimensions if rules.clamped],  # type: ignore[misc]  # pyright: ignore[reportArgumentType] - nor other ones
        bands=[LevelLimit(level=each.level, score_micro=each.score_micro) for each in policy.bands],
        evaluations=policy.evaluations,
        credit_start=policy.credit.start,
        credit_levels=[
            BalanceLimit(name=each.name, balance=each.balance, highest=each.highest)
            for each in policy.credit.levels
        ],
        raise_search_max=policy.raise_search_max,
        dispute_sla_seconds=policy.sla.dispute_seconds,
        return_sla_seconds=policy.sla.return_seconds,
        drafted_by=by,
    )


def policy_of(event: ScorePolicyDrafted) -> ScorePolicy:
    return ScorePolicy(
        policy_id=event.policy_id,
        half_life_days=event.half_life_days,
        keep_weeks=event.keep_weeks,
        clamp=ClampRules(
            floor_milli=event.clamp_floor_milli,
            kappa_milli=event.clamp_kappa_milli,
            window_weeks=event.clamp_window_weeks,
        ),
        z_milli=event.z_milli,
        rated=RatedRules(
            dimension=event.rated_dimension,
            min_milli=event.rated_min_milli,
            window_weeks=event.rated_window_weeks,
        ),
        dimensions=tuple(
            DimensionRules(
                name=numbers.dimension,
                weight_milli=numbers.weight_milli,
                prior_strength_milli=numbers.prior_strength_milli,
                prior_mean_micro=numbers.prior_mean_micro,
                display_mean_micro=numbers.display_mean_micro,
                prior_var_micro=numbers.prior_var_micro,
                clamped=numbers.dimension in event.clamped,
            )
            for numbers in event.dimensions
        ),
        bands=tuple(
            BandLimit(level=each.level, score_micro=each.score_micro) for each in event.bands
        ),
        evaluations=event.evaluations,
        credit=CreditRules(
            start=event.credit_start,
            levels=tuple(
                CreditLevel(name=each.name, balance=each.balance, highest=each.highest)
                for each in event.credit_levels
            ),
        ),
        raise_search_max=event.raise_search_max,
        sla=SlaRules(
            dispute_seconds=event.dispute_sla_seconds, return_seconds=event.return_sla_seconds
        ),
    )
