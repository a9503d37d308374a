"""What the words mean that several services have: those of people, of disputes, of statements."""

from collections.abc import Mapping, Sequence

PEOPLE: Mapping[str, str] = {
    "BUYER": "The buyer.",
    "SELLER": "The seller.",
    "AGENT": "Staff of the marketplace who decide first.",
    "SENIOR": "Staff of the marketplace who decide appeals.",
    "MODERATOR": "Staff of the marketplace who decide about reviews.",
    "ANALYST": "Staff of the marketplace who look into violations.",
    "ADJUDICATOR": "The member of staff to whom the dispute was given.",
    "SYSTEM": "The platform itself: a rule, a timer, a detector.",
    "CARRIER": "The carrier.",
    "PLATFORM": "The marketplace.",
    "MARKETPLACE": "The marketplace.",
    "FORCE_MAJEURE": "Nobody: what nobody could have prevented.",
    "NONE": "Nobody.",
}
DISPUTE_REASONS: Mapping[str, str] = {
    "NOT_RECEIVED": "It has not come.",
    "NOT_AS_DESCRIBED": "It is not what was described.",
    "DAMAGED": "It has come broken.",
    "WRONG_ITEM": "Something else has come.",
    "MISSING_PARTS": "Something of it is missing.",
    "COUNTERFEIT": "It is an imitation.",
    "SIZE_MISFIT": "It does not fit.",
    "SELLER_REFUSED_RETURN": "The buyer objects to what was done with his return; opened by that.",
}
CONTEST_GROUNDS: Mapping[str, str] = {
    "DECLINED": "The return was declined.",
    "REJECTED": "What came back was not accepted.",
    "LOST": "What was sent back got lost, and was not covered.",
    "DEDUCTION": "Less is given back than was paid.",
}
AUTOMATION: Mapping[str, str] = {
    "FULLY": "No person has decided it.",
    "PARTIALLY": "A person has decided it, with means that decide a part.",
    "NOT": "A person has decided it.",
}
ORDERS: Mapping[str, str] = {
    "due": "What is due soonest comes first; what is closed is left out.",
    "newest": "What began last comes first.",
}
SHARED: Sequence[Mapping[str, str]] = (
    PEOPLE,
    DISPUTE_REASONS,
    CONTEST_GROUNDS,
    AUTOMATION,
    ORDERS,
)
