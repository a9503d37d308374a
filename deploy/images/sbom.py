"""What is installed in, its bill of materials out: CycloneDX 1.6, as JSON on standard output.

python sbom.py NAME        in the image, by the Python whose packages are meant

Both kinds of packages are in it: Python's, by their metadata, and Debian's, by what dpkg knows. It
says nothing of when or where it was made: the same packages give the same bytes.
"""

import json
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

DPKG = Path("/var/lib/dpkg/status")


def python_packages() -> Iterator[dict[str, object]]:
    for found in distributions():
        name = found.metadata["Name"].lower().replace("_", "-").replace(".", "-")
        yield {
            "type": "library",
            "bom-ref": f"pkg:pypi/{name}@{found.version}",
            "name": name,
            "version": found.version,
            "purl": f"pkg:pypi/{name}@{found.version}",
            **licence_of(found),
        }


def licence_of(found: Distribution) -> dict[str, object]:
    expression = found.metadata.get("License-Expression")
    return {"licenses": [{"expression": expression}]} if expression else {}


def debian_packages(status: Path) -> Iterator[dict[str, object]]:
    if not status.exists():
        return
    for paragraph in status.read_text().split("\n\n"):
        lines = (line.partition(": ") for line in paragraph.splitlines() if line[:1] != " ")
        told = {name: value for name, _, value in lines}
        if "installed" not in told.get("Status", ""):
            continue
        purl = f"pkg:deb/debian/{told['Package']}@{told['Version']}?arch={told['Architecture']}"
        yield {
            "type": "library",
            "bom-ref": purl,
            "name": told["Package"],
            "version": told["Version"],
            "purl": purl,
        }


def bill_of(name: str) -> dict[str, object]:
    found = {str(each["bom-ref"]): each for each in (*python_packages(), *debian_packages(DPKG))}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": name, "bom-ref": name}},
        "components": [found[ref] for ref in sorted(found)],
    }


if __name__ == "__main__":
    json.dump(bill_of(sys.argv[1]), sys.stdout, indent=1)
