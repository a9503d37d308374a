"""The event types in, what is published of them out: `python -m shared_events`.

Writes the schemas, the reference and the AsyncAPI documents anew, and samples of the event versions
that have none yet.
The one argument is the folder of the repository, if it is not the one that this code lies in.
"""

import sys
from pathlib import Path

from shared_events.asyncapi import write_documents
from shared_events.corpus import add_samples
from shared_events.reference import write_reference
from shared_events.schemas import write_schemas

REPOSITORY = Path(__file__).parents[4]
CORPUS = "shared/events/corpus"
SCHEMAS = "shared/events/schemas"
REFERENCE = "docs/reference/events.md"
ASYNCAPI = "docs/reference/asyncapi"


def main(arguments: list[str]) -> int:
    """0; 1 if a schema would no longer allow what it did; 2 if there is no such repository."""
    repository = Path(arguments[0]) if arguments else REPOSITORY
    if not (repository / "shared/events").is_dir():
        sys.stderr.write(f"{repository} is not the folder of the repository\n")
        return 2
    samples = add_samples(repository / CORPUS)
    schemas, refused = write_schemas(repository / SCHEMAS)
    pages = write_reference(repository / REFERENCE, repository / CORPUS)
    documents = write_documents(repository / ASYNCAPI, repository / CORPUS)
    made = {CORPUS: samples, SCHEMAS: schemas, REFERENCE: pages, ASYNCAPI: documents}
    for place, names in made.items():
        sys.stdout.write(f"{place}: {len(names)} written\n")
    for loss in refused:
        sys.stderr.write(f"{loss}\n")
    if refused:
        sys.stderr.write("A released version only grows: make a new version and an upcaster.\n")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
