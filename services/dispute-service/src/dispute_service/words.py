"""What the words of this service's API mean."""

from collections.abc import Sequence

from shared_casework import meanings
from shared_runtime.words import OF_EVERY_SERVICE, WordTable

from dispute_service.domain.deadlines import RULES

INQUIRY_TOPICS: WordTable = {
    "DELIVERY": "When and how it comes.",
    "PRODUCT": "What it is, and how it works.",
    "RETURN": "How it goes back.",
    "PAYMENT": "What was or is to be paid.",
    "OTHER": "Something else.",
}
INQUIRY_STATES: WordTable = {
    "OPEN": "The seller has not answered yet.",
    "ANSWERED": "The seller has answered; both may go on writing.",
    "CLOSED": "Nothing is written to it any more.",
}
INQUIRY_ENDS: WordTable = {
    "RESOLVED": "Its buyer has closed it.",
    "IDLE": "Nobody has written any more.",
    "CONVERTED": "A dispute came of it.",
}
STATES: WordTable = {
    "NEGOTIATING": "The parties look for terms that both accept.",
    "EVIDENCE": "Both lodge evidence; each sees the other's when both are done, or it is time.",
    "REBUTTAL": "Each may say once what he thinks of the other's evidence.",
    "REVIEW": "An adjudicator decides.",
    "DECIDED": "It is decided, and may be appealed.",
    "APPEAL": "Another adjudicator decides anew.",
    "EXECUTING": "What was agreed or decided is carried out.",
    "CLOSED": "It is over.",
}
OUTCOMES: WordTable = {
    "REFUND_FULL": "All that is left to give back; the buyer keeps the goods.",
    "REFUND_PARTIAL": "`amount_minor` is given back; the buyer keeps the goods.",
    "RETURN_AND_REFUND": "The goods go back, then the money does.",
    "EXCHANGE": "The goods go back, and others come.",
    "REPLACEMENT_NO_RETURN": "Others come, and the buyer keeps what he has.",
    "REJECTED": "The buyer gets nothing.",
}
EVIDENCE_KINDS: WordTable = {
    "PHOTO": "A picture of the goods or the parcel.",
    "VIDEO": "The same, moving.",
    "TRACKING": "What the carrier tells of the parcel.",
    "RECEIPT": "A bill, or a proof of posting or payment.",
    "COMMUNICATION": "What the parties wrote to each other elsewhere.",
    "LISTING_SNAPSHOT": "What the offer looked like.",
    "MEASUREMENT": "Sizes or weights that were taken.",
    "EXPERT": "What somebody who knows about it says.",
    "RETURN_FILE": "All photos and files of the return that is contested; lodged by the platform.",
    "OTHER": "Something else.",
}
STANDINGS: WordTable = {
    "CURRENT": "It is its party's proposal, and may be accepted.",
    "REJECTED": "The other party has said no; it may still be accepted.",
}
APPEAL_GROUNDS: WordTable = {
    "NEW_EVIDENCE": "Evidence that was lodged after the decision says otherwise.",
    "PROCEDURE": "The decision did not come about as it should have.",
    "MANIFEST_ERROR": "The decision is wrong for anybody to see.",
}
APPEAL_RESULTS: WordTable = {
    "UPHELD": "The decision stands.",
    "REVERSED": "Another decision takes its place.",
    "MODIFIED": "A part of it is changed.",
}
ENDS: WordTable = {
    "WITHDRAWN": "The buyer has taken it back.",
    "SETTLED": "Both parties held the same terms.",
    "DEFAULT": "The seller was silent: the buyer's terms were granted.",
    "DECIDED": "An adjudicator has decided it.",
    "PLATFORM": "Nobody decided it in time: the marketplace bears it.",
}
CASE_KINDS: WordTable = {
    "DECISION": "It is to be decided.",
    "APPEAL": "An appeal is to be decided.",
    "EXECUTION": "What was ordered is late.",
}
CALENDARS: WordTable = {
    "EVERY_DAY": "Every day counts, also those on which nobody works.",
}
STANDSTILLS: WordTable = {
    "INFORMATION_REQUESTED": "A party was asked something, and has not answered yet.",
}
DEADLINES: WordTable = {name: rule.says for name, rule in RULES.items()}
WORDS: Sequence[WordTable] = (
    *OF_EVERY_SERVICE,
    *meanings.SHARED,
    INQUIRY_TOPICS,
    INQUIRY_STATES,
    INQUIRY_ENDS,
    STATES,
    OUTCOMES,
    EVIDENCE_KINDS,
    STANDINGS,
    APPEAL_GROUNDS,
    APPEAL_RESULTS,
    ENDS,
    CASE_KINDS,
    CALENDARS,
    STANDSTILLS,
    DEADLINES,
)
