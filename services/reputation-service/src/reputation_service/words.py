"""What the words of this service's API mean."""

from collections.abc import Sequence

from shared_casework import meanings
from shared_runtime.words import OF_EVERY_SERVICE, WordTable

BANDS: WordTable = {
    "UNRATED": "There are not enough ratings to say.",
    "RED": "The lowest level.",
    "ORANGE": "The second of five.",
    "YELLOW": "The third of five.",
    "GREEN": "The fourth of five.",
    "GOLD": "The highest level.",
}
LEVELS: WordTable = {
    "NORMAL": "At least as many credit points as the policy has for it (credit_normal).",
    "REDUCED": "Fewer (credit_reduced): shown less, or nothing is advanced.",
    "RESTRICTED": "Fewer still (credit_restricted): no promotions and a held payout, or returns "
    "decided by people.",
    "CRITICAL": "Fewer than that: a SENIOR looks whether the account is to be closed.",
}
WHY: WordTable = {
    "NOT_ENOUGH_RATINGS": "There are not enough ratings for a level.",
    "RISES_AT_THE_NEXT_EVALUATION": "The score is enough; the level follows at the evaluation.",
    "EVALUATED_WEEKLY": "The level is that of the last evaluation; the next one is to come.",
    "CAPPED_BY_POINTS": "Credit points that are lost keep it down.",
    "PROTECTED": "The level that is shown is kept up by a protection.",
}
WAYS: WordTable = {
    "FIVE_STAR_REVIEW": "A buyer gives five stars.",
    "QUESTION_ANSWERED_IN_TIME": "A question is answered in time.",
    "RETURN_DECIDED_IN_TIME": "A return is decided in time.",
    "DISPUTE_SETTLED_IN_TIME": "A dispute is settled in time.",
    "ORDER_WITHOUT_DISPUTE": "An order is completed and passes without a dispute.",
}
OF_A_BUYER: WordTable = {
    "FIVE_STAR_RATING": "A seller gives the buyer five stars.",
}
VIOLATIONS: WordTable = {
    "FAKE_TRANSACTION": "An order that was none.",
    "SELF_RATING": "Somebody rated himself.",
    "REVIEW_RING": "Several rated one another by agreement.",
    "MALICIOUS_REVIEW": "A review was written to do harm.",
    "EXTORTION": "Something was demanded by threatening with a review.",
    "REVIEW_SUPPRESSION": "A review was bought off or pressed out.",
    "EVIDENCE_FORGERY": "Evidence was forged.",
    "COUNTERFEIT": "An imitation was sold.",
    "FALSE_CLAIMS": "Disputes were opened again and again that had no ground.",
    "EMPTY_BOX_RETURN": "A parcel came back without the goods.",
    "UNRETURNED_EXCHANGE": "What was to be exchanged never came back.",
    "UNANSWERED_DISPUTE": "A dispute was lost by silence.",
    "LATE_RETURN_HANDLING": "A return was handled late.",
    "SUSPENSION_REVIEW": "So many points were lost that the account may be closed.",
}
SEVERITIES: WordTable = {
    "MINOR": "Its points end soonest.",
    "MEDIUM": "Its points last longer.",
    "SEVERE": "Its points last longest.",
}
DETECTIONS: WordTable = {
    "RULE": "A rule opened it, on what another service told.",
    "DETECTOR": "A detector has noticed it.",
    "NOTICE": "Somebody has told of it.",
    "ANALYST": "An analyst came across it.",
}
CASE_KINDS: WordTable = {
    "DECISION": "It is to be decided.",
    "APPEAL": "An appeal is to be decided.",
}
CASE_STATES: WordTable = {
    "STATEMENT": "The accused may say what he has to say; then it is decided.",
    "CONFIRMED": "The violation is confirmed, and costs points.",
    "APPEALED": "The accused has appealed; it is decided anew.",
    "REVERSED": "The appeal was granted: it is as if it had never been.",
    "DISMISSED": "Nothing came of it.",
}
DISMISSALS: WordTable = {
    "UNFOUNDED": "There was no violation.",
    "INSUFFICIENT": "It cannot be shown.",
    "DUPLICATE": "Another case is about the same.",
    "LAPSED": "Nobody decided it in time.",
}
APPEAL_OUTCOMES: WordTable = {
    "UPHELD": "The decision stands.",
    "REDUCED": "It costs fewer points.",
    "REVERSED": "There was no violation.",
}
MEASURES: WordTable = {
    "WARNING": "Told that points were lost; nothing else follows.",
    "REDUCED_EXPOSURE": "What the seller offers is shown less.",
    "NO_PROMOTIONS": "The seller takes part in no promotions.",
    "PAYOUT_HOLD": "The seller is paid out later.",
    "NO_FAST_LANE": "Nothing is advanced to the buyer before his goods are back.",
    "MANUAL_ONLY": "What the buyer asks for is decided by a person.",
    "RATING_RIGHT_LOST": "The buyer's reviews do not count.",
    "SUSPENSION": "The account is closed for a time, for the safety of others.",
}
ACCOUNT_STATES: WordTable = {
    "ACTIVE": "In use.",
    "NOTICE": "It is going to be closed at an instant that was told.",
    "TERMINATED": "Closed.",
    "ERASED": "The person was forgotten; numbers stay.",
}
ERASURE_STATES: WordTable = {
    "DEFERRED": "Something of the account is open; it is done by itself when nothing is.",
    "ERASED": "Done.",
}
CANCELLATIONS: WordTable = {
    "BALANCE": "There are enough points again.",
    "CASE_REVERSED": "The case that it came from was reversed.",
    "BY_SENIOR": "A SENIOR has taken the notice back.",
}
SUBJECTS: WordTable = {
    "REVIEW": "A review.",
    "DISPUTE": "A dispute.",
    "RETURN": "A return.",
    "VIOLATION": "A violation.",
    "MEASURE": "A measure on an account.",
}
REDRESS: WordTable = {
    "INTERNAL_APPEAL": "An appeal on the platform, decided by somebody else.",
    "OUT_OF_COURT": "A body that settles disputes out of court.",
    "COURT": "A court.",
}
POLICY_STATES: WordTable = {
    "DRAFT": "Written, and shown to staff alone.",
    "TRIED": "What it would do to the sellers has been worked out.",
    "SCHEDULED": "It begins at an instant that is to come.",
    "IN_FORCE": "Scores are worked out with it now.",
    "REPLACED": "Another one has begun since.",
}
TRIAL_STATES: WordTable = {
    "RUNNING": "It is being worked out.",
    "ENDED": "It is there.",
}
WORDS: Sequence[WordTable] = (
    *OF_EVERY_SERVICE,
    *meanings.SHARED,
    BANDS,
    LEVELS,
    WHY,
    WAYS,
    OF_A_BUYER,
    VIOLATIONS,
    SEVERITIES,
    DETECTIONS,
    CASE_KINDS,
    CASE_STATES,
    DISMISSALS,
    APPEAL_OUTCOMES,
    MEASURES,
    ACCOUNT_STATES,
    ERASURE_STATES,
    CANCELLATIONS,
    SUBJECTS,
    REDRESS,
    POLICY_STATES,
    TRIAL_STATES,
)
