"""A kind of command in, who may send it to an evaluation out."""

from collections.abc import Mapping

from shared_runtime.decider import Role

from review_service.domain import commands
from review_service.domain.commands import Asked

ROLES: Mapping[type[Asked], tuple[Role, ...]] = {
    commands.OpenEvaluation: ("SYSTEM",),
    commands.PauseEvaluation: ("SYSTEM",),
    commands.ResumeEvaluation: ("SYSTEM",),
    commands.CloseEvaluation: ("SYSTEM",),
    commands.VoidEvaluation: ("SYSTEM",),
    commands.SubmitReview: ("BUYER", "SELLER"),
    commands.AmendReview: ("BUYER", "SELLER"),
    commands.WithdrawReview: ("BUYER", "SELLER"),
    commands.PublishReply: ("BUYER", "SELLER"),
    commands.EditReply: ("BUYER", "SELLER"),
    commands.AppendFollowUp: ("BUYER",),
    commands.GrantRevision: ("SYSTEM",),
    commands.RequestRevision: ("SELLER",),
    commands.ReviseReview: ("BUYER",),
    commands.FlagReview: ("BUYER", "SELLER", "MODERATOR", "ANALYST", "SYSTEM"),
    commands.RecordScreening: ("SYSTEM",),
    commands.LiftCampaignWeight: ("SYSTEM",),
    commands.HoldReview: ("MODERATOR", "ANALYST", "SYSTEM"),
    commands.ReleaseReview: ("MODERATOR", "SYSTEM"),
    commands.KeepReview: ("MODERATOR",),
    commands.RestrictReview: ("MODERATOR",),
    commands.AppealModeration: ("BUYER", "SELLER", "MODERATOR", "ANALYST"),
    commands.DecideModerationAppeal: ("MODERATOR", "SENIOR"),
    commands.ReattributeDimension: ("SYSTEM",),
    commands.ReweighReview: ("SYSTEM",),
    commands.NoteOverdue: ("SYSTEM",),
}
HUMAN = (commands.KeepReview, commands.RestrictReview, commands.DecideModerationAppeal)
"""What a person must decide."""
