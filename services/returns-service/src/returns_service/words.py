"""What the words of this service's API mean."""

from collections.abc import Sequence

from shared_casework import meanings
from shared_runtime.words import OF_EVERY_SERVICE, WordTable

from returns_service.domain.return_dues import DUES

KINDS: WordTable = {
    "RETURN": "The goods go back, then the money does.",
    "EXCHANGE": "The goods go back, and others come.",
    "CLAIM": "The buyer keeps the goods, and gets money or others.",
    "WITHDRAWAL": "The buyer withdraws from the contract, for no reason that he need tell.",
}
WANTS: WordTable = {
    "REFUND": "Money.",
    "EXCHANGE": "Other goods for these.",
    "REPLACEMENT": "The same again; what has come stays.",
}
REASONS: WordTable = {
    "DAMAGED": "It has come broken.",
    "WRONG_ITEM": "Something else has come.",
    "NOT_AS_DESCRIBED": "It is not what was described.",
    "DEFECTIVE": "It does not work.",
    "MISSING_PARTS": "Something of it is missing.",
    "SIZE_MISFIT": "It does not fit.",
    "CHANGE_OF_MIND": "The buyer does not want it any more.",
    "WITHDRAWAL": "None: it is a withdrawal.",
}
LANES: WordTable = {
    "FAST": "The money, or other goods, are given when the carrier has the parcel.",
    "STANDARD": "They are given when the goods were looked at.",
    "STATUTORY": "A withdrawal, as the law has it.",
}
STATES: WordTable = {
    "DRAFT": "A withdrawal that is declared and not confirmed yet.",
    "REVIEW": "Somebody has to decide whether the goods may go back.",
    "AUTHORIZED": "They may; the buyer sends them.",
    "IN_TRANSIT": "They are on their way.",
    "PARTLY_RECEIVED": "Some of them are there.",
    "RECEIVED": "They are there, and were not looked at yet.",
    "INSPECTED": "They were looked at.",
    "RESOLVING": "Money or other goods are on their way to the buyer.",
    "DECLINED": "They may not go back; the buyer may object.",
    "CLOSED": "It is over.",
}
WHEREABOUTS: WordTable = {
    "AWAITING": "The buyer has not sent it yet.",
    "IN_TRANSIT": "It is on its way.",
    "RECEIVED": "It has come.",
    "WRONG_ITEM": "Something else has come in its place.",
    "SHORT": "It was not in the parcel.",
    "LOST": "It got lost on its way.",
    "EXPIRED": "It was not sent in time.",
}
ACCEPTANCE: WordTable = {
    "PENDING": "Nobody has said yet whether it is accepted.",
    "ACCEPTED": "It is accepted.",
    "REJECTED": "It is not.",
}
EXITS: WordTable = {
    "DECLINED": "It may not go back.",
    "CANCELLED": "The buyer has called it off.",
    "KEPT": "The buyer keeps it, for money.",
    "CONTESTED": "The buyer objects; a dispute goes on with it.",
}
DECLINES: WordTable = {
    "FINAL_SALE": "It was sold without a right to return it.",
    "PERIOD_ENDED": "The time for it is over.",
    "NOT_AS_CLAIMED": "It is not as the buyer says.",
    "OTHER": "Something else; the note says what.",
}
REJECTIONS: WordTable = {
    "WRONG_ITEM": "Something else has come in its place.",
    "SHORT": "It was not in the parcel.",
    "NOT_OURS": "It is not a piece that was sold.",
    "USED": "It was used more than to try it.",
    "LATE": "It has come after its time.",
    "OTHER": "Something else.",
}
GRADES: WordTable = {
    "A": "The best of four, by the measure of who looks at it: nothing is amiss.",
    "B": "The second.",
    "C": "The third.",
    "D": "The worst.",
}
RESULTS: WordTable = {
    "REFUNDED": "The money was given back.",
    "EXCHANGED": "Other goods have come for it.",
    "REPLACED": "The same has come again.",
    "KEPT": "The buyer keeps it, for money.",
    "EXPIRED": "It was not sent in time.",
    "CANCELLED": "The buyer has called it off.",
    "DECLINED": "It may not go back.",
    "REJECTED": "What came back was not accepted.",
    "CONTESTED": "The buyer objects; a dispute goes on with it.",
    "LOST": "It got lost on its way, and was not covered.",
    "MIXED": "Of some pieces this, of others that.",
}
SCANS: WordTable = {
    "HANDED_OVER": "The buyer has given the parcel to the carrier.",
    "DELIVERED_BACK": "The carrier has brought it back.",
}
CASE_KINDS: WordTable = {
    "REVIEW": "It is for staff to decide.",
    "ADVANCE": "The seller says that nothing stands behind an advance: to be confirmed.",
    "LABEL": "Its label is late.",
    "KEPT": "Goods that are to be sent back are not.",
}
WAREHOUSE: WordTable = {
    "RECEIVE": "Goods are to come, or to be unpacked.",
    "INSPECT": "Goods are to be looked at.",
}
FORMATS: WordTable = {
    "csv": "A table: a line for each, with the names first.",
    "ndjson": "An object of JSON in each line.",
}
SOURCES: WordTable = {
    "RETURN": "A return.",
    "OFFER": "A part of the price, for goods that the buyer keeps.",
    "WITHDRAWAL": "A withdrawal.",
    "EXCHANGE_FALLBACK": "An exchange of which nothing came.",
    "EXCHANGE_DIFFERENCE": "An exchange for something that costs less.",
    "CLAIM": "A claim: the buyer keeps the goods.",
    "DISPUTE": "A dispute.",
    "GOODWILL": "Good will.",
    "CANCELLATION": "An order that was cancelled.",
}
REFUND_STATES: WordTable = {
    "REQUESTED": "It was sent to the payment provider, or waits to be.",
    "FAILED": "It failed, and is tried again.",
    "FAILED_FINAL": "It failed for good: staff pay it in another way.",
    "SETTLED": "The buyer has it.",
    "BOUNCED": "The bank has sent it back: staff pay it in another way.",
}
REFUND_WAYS: WordTable = {
    "ORIGINAL": "The way the payment came.",
    "BANK_TRANSFER": "A transfer to a bank account.",
    "STORE_CREDIT": "A credit at the shop.",
    "OTHER": "Another way.",
}
REFUND_FAILURES: WordTable = {
    "REFUSED": "The provider has not paid, and will not.",
    "RETRYABLE": "The provider has not paid, and may.",
    "UNKNOWN": "Nobody knows whether it has paid.",
}
REFUND_CASES: WordTable = {
    "FAILED": "It failed for good.",
    "BOUNCED": "The bank has sent it back.",
    "LATE": "It is late, and nothing has come of it yet.",
}
NOT_DUE: WordTable = {
    "GIVEN": "It was given already.",
    "ORIGINAL_OUT": "What was to be exchanged is not back yet.",
}
OUTSIDE_KINDS: WordTable = {
    "CHARGEBACK": "The bank has taken it back from the seller, on a card.",
    "DIRECT_DEBIT_RETURN": "The bank has sent a direct debit back.",
    "MARKETPLACE": "The marketplace has given it back by itself.",
}
OUTSIDE_STATES: WordTable = {
    "RECORDED": "It counts as given back.",
    "UNDONE": "It was decided for the seller, and does not count any more.",
}
PROVIDERS_STATES: WordTable = {
    "PENDING": "The provider has it, and has not paid yet.",
    "PAID": "The provider has paid.",
    "REFUSED": "The provider will not pay.",
    "CANCELLED": "It was stopped before it was paid.",
    "BOUNCED": "It was paid, and the bank has sent it back.",
}
RECONCILIATIONS: WordTable = {
    "ASKED": "The provider was asked for that day.",
    "COMPARED": "What it told was compared.",
}
DEADLINES: WordTable = {name: f"When it passes: {due.then}" for name, due in DUES.items()}
WORDS: Sequence[WordTable] = (
    *OF_EVERY_SERVICE,
    *meanings.SHARED,
    KINDS,
    WANTS,
    REASONS,
    LANES,
    STATES,
    WHEREABOUTS,
    ACCEPTANCE,
    EXITS,
    DECLINES,
    REJECTIONS,
    GRADES,
    RESULTS,
    SCANS,
    CASE_KINDS,
    WAREHOUSE,
    FORMATS,
    SOURCES,
    REFUND_STATES,
    REFUND_WAYS,
    REFUND_FAILURES,
    REFUND_CASES,
    NOT_DUE,
    OUTSIDE_KINDS,
    OUTSIDE_STATES,
    PROVIDERS_STATES,
    RECONCILIATIONS,
    DEADLINES,
)
