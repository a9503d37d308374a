"""What the words of this service's API mean."""

from collections.abc import Sequence

from shared_casework import meanings
from shared_runtime.words import OF_EVERY_SERVICE, WordTable

STAGES: WordTable = {
    "PLACED": "Ordered.",
    "PAID": "Paid.",
    "SHIPPED": "On its way.",
    "DELIVERED": "With the buyer.",
    "COMPLETED": "Over, as it should be: it may be reviewed.",
    "CANCELLED": "Called off.",
}
REOPENINGS: WordTable = {
    "CARRIER_CORRECTION": "The carrier says that it has not come after all.",
    "PAYMENT_REVERSED": "The payment was taken back.",
}
EVALUATIONS: WordTable = {
    "NONE": "There is nothing to review: the order is not complete.",
    "OPEN": "Both parties may write until it closes.",
    "PAUSED": "Both may write; the time to do so stands still.",
    "REVEALED": "What was written is shown, and counts.",
    "CLOSED": "Nobody wrote in time, or the order was cancelled.",
}
EMPTY_ENDS: WordTable = {
    "EXPIRED": "Nobody wrote in time.",
    "ORDER_CANCELLED": "The order was cancelled.",
}
PAUSES: WordTable = {
    "DISPUTE": "A dispute about the order is open.",
    "ORDER_REOPENED": "The order is not complete any more.",
}
REVIEW_STATES: WordTable = {
    "SUBMITTED": "Written, and shown to its author alone until both are in or the time is over.",
    "VISIBLE": "Shown.",
    "HELD": "Hidden, until a moderator has looked at it or the time for that is over.",
    "RESTRICTED": "Hidden in part or whole by a moderator, or left out of the score.",
    "WITHDRAWN": "Taken back by its author.",
}
INCENTIVES: WordTable = {
    "NONE": "The buyer was given nothing for it.",
    "FREE_OR_DISCOUNTED": "The goods were free, or cheaper, for a review.",
    "PAYMENT": "The buyer was paid for it.",
    "RELATED_PARTY": "The buyer belongs to the seller.",
}
DIMENSIONS: WordTable = {
    "QUALITY": "The goods.",
    "LOGISTICS": "How they came.",
    "SERVICE": "How the seller was.",
}
PARTS: WordTable = {
    "REPLY": "What the reviewed party has answered.",
    "FOLLOW_UP": "What the buyer has added later.",
}
FLAG_REASONS: WordTable = {
    "FAKE": "It is of somebody who has not bought this, or was made up.",
    "OFFENSIVE": "It insults, threatens or incites.",
    "PERSONAL_DATA": "It tells of somebody what is not for all.",
    "OFF_TOPIC": "It is not about the order.",
    "EXTORTION": "Something is demanded with it.",
    "WRONG_ORDER": "It is about another order.",
    "ILLEGAL": "It breaks a law.",
    "OTHER": "Something else; say what.",
}
CAMPAIGN: WordTable = {
    "CAMPAIGN": "Many came at once, as if by agreement.",
}
FLAG_OUTCOMES: WordTable = {
    "KEPT": "The review stays as it is.",
    "RESTRICTED": "It was hidden, or left out of the score.",
    "RESTORED": "It was, and is shown again by an appeal.",
    "WITHDRAWN": "Its author has taken it back.",
}
RESTRICTIONS: WordTable = {
    "HIDE_TEXT": "Its text is hidden, its stars are shown.",
    "HIDE_MEDIA": "Its files are hidden.",
    "HIDE_REVIEW": "All of it is hidden.",
    "EXCLUDE_SCORE": "Its stars do not count.",
    "HIDE_REPLY": "The reply alone is hidden.",
    "HIDE_FOLLOW_UP": "The follow-up alone is hidden.",
}
APPEALED: WordTable = {
    "RESTRICTED": "That it was restricted, by its author.",
    "KEPT": "That it was kept, by who has flagged it.",
}
APPEAL_OUTCOMES: WordTable = {
    "UPHELD": "The decision stands.",
    "REVERSED": "The opposite is done.",
}
CASE_KINDS: WordTable = {
    "FLAG": "Somebody has flagged it.",
    "HOLD": "It is held: somebody is to look at it before the time for that is over.",
    "APPEAL": "An appeal is to be decided.",
}
WEIGHTS: WordTable = {
    "FULL": "It counts whole.",
    "RESTRICTED": "It does not count: a moderator has decided so.",
    "HELD": "It does not count while it is held.",
    "WITHDRAWN": "It does not count: its author has taken it back.",
    "INCENTIVIZED": "It does not count: the buyer was given something for it.",
    "LOW_VALUE": "It does not count: the order was of too little value.",
    "REPEAT_10D": "It does not count: within days another of this pair has the same sign.",
    "BUYER_ABUSE": "It does not count: the buyer has abused a dispute of this order.",
    "RATING_RIGHT_LOST": "It does not count: its author has lost the right to rate.",
    "FAKE_CONFIRMED": "It does not count: it is a confirmed fake.",
    "NEW_ACCOUNT": "It counts less: the buyer's account was new.",
    "REPEAT_180D": "It counts less: the buyer has rated the same seller before.",
    "SUSPECT": "It counts less: a detector has noticed something.",
    "CAMPAIGN_UNPROVEN": "It counts again: what the detector noticed was not proven in time.",
    "CORROBORATED": "It counts again: other facts of the order bear out that something was wrong.",
}
SIZES: WordTable = {
    "SMALL": "The seller has fewer than 100 completed orders.",
    "MEDIUM": "Fewer than 1000.",
    "LARGE": "1000 or more.",
}
SORTS: WordTable = {
    "newest": "The latest first.",
    "oldest": "The earliest first.",
    "highest": "The most stars first.",
    "lowest": "The fewest stars first.",
    "most_useful": "The most votes as helpful first.",
}
SIDES: WordTable = {
    "WRITTEN": "By me.",
    "RECEIVED": "About me.",
}
ROUNDINGS: WordTable = {
    "UP": "Half a star counts as a whole one: 4.5 is 5.",
    "DOWN": "Half a star is left out: 4.5 is 4.",
}
WORDS: Sequence[WordTable] = (
    *OF_EVERY_SERVICE,
    *meanings.SHARED,
    STAGES,
    REOPENINGS,
    EVALUATIONS,
    EMPTY_ENDS,
    PAUSES,
    REVIEW_STATES,
    INCENTIVES,
    DIMENSIONS,
    PARTS,
    FLAG_REASONS,
    CAMPAIGN,
    FLAG_OUTCOMES,
    RESTRICTIONS,
    APPEALED,
    APPEAL_OUTCOMES,
    CASE_KINDS,
    WEIGHTS,
    SIZES,
    SORTS,
    SIDES,
    ROUNDINGS,
)
