"""What the words of the API mean, said beside them in its documents.

A word is a value that a client sends or reads: a state, a reason, a role. A table tells of all
that one place may have, and a document says of each place what the smallest table says that has
all of its words. A place without a table fails a test.
"""

from collections.abc import Mapping, Sequence

type WordTable = Mapping[str, str]
"""Each word with what it means, as a sentence."""

PURPOSES: WordTable = {
    "REVIEW": "For a review, or a follow-up to one: shown to whoever may read that.",
    "EVIDENCE": "For a dispute, a return and the like: shown to its parties and staff.",
}
FILE_STATES: WordTable = {
    "UPLOADED": "It has come and was not looked at yet: ask again.",
    "CLEAN": "It may be referred to, and downloaded.",
    "REJECTED": "It was found not to be what we keep, `reason` says why; it is gone.",
}
FILE_TYPES: WordTable = {
    "image/jpeg": "A picture; what was sent as HEIC is kept as one.",
    "image/png": "A picture.",
    "image/webp": "A picture that does not move.",
    "video/mp4": "A video.",
    "video/webm": "A video.",
}
FILE_FAULTS: WordTable = {
    "EMPTY": "It has no bytes.",
    "TYPE_DIFFERS": "By its own bytes it is not what its Content-Type says.",
    "TRUNCATED": "It ends too early.",
    "TRAILING_DATA": "Something is behind its end.",
    "MARKUP": "It begins like a page, a script or a document.",
    "TOO_MANY_PIXELS": "It announces more pixels than are taken.",
    "ANIMATED": "It is a picture that moves.",
    "DAMAGED": "It cannot be decoded.",
    "MALWARE": "The scanner knows it as malware.",
    "DOES_NOT_OPEN": "It was damaged in the storage before it could be scanned.",
}
DELIVERY_STATES: WordTable = {
    "WAITING": "It was not delivered yet, and is tried again.",
    "DELIVERED": "Your endpoint has answered that it has it.",
    "FAILED": "It was given up; send it again when you like.",
    "WITHDRAWN": "You may not know of it any more; it is not sent.",
}
SWITCHED_OFF: WordTable = {
    "OWNER": "You did it yourself.",
    "FAILING": "It has not taken anything for days.",
    "GONE": "It has answered 410.",
}
OF_EVERY_SERVICE: Sequence[WordTable] = (
    PURPOSES,
    FILE_STATES,
    FILE_TYPES,
    FILE_FAULTS,
    DELIVERY_STATES,
    SWITCHED_OFF,
)


def meanings(words: Sequence[str], tables: Sequence[WordTable]) -> WordTable | None:
    """What each of these means, in their order; None if no table has them all."""
    knowing = [table for table in tables if table.keys() >= set(words)]
    if not knowing:
        return None
    table = min(knowing, key=len)
    return {word: table[word] for word in words}
