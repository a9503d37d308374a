"""parts: what every combination of components is made of, rendered once for all who run tests."""

import fcntl
import os
import pickle

import pytest
from deploy_checks.combinations import Parts, rendered_parts
from deploy_checks.render import Absent


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    """Several processes share the tests: the first of them renders, the others wait for it."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    kept = shared / "combinations"
    with (shared / "combinations.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            try:
                made = rendered_parts(tmp_path_factory.mktemp("combinations"))
            except Absent as why:
                pytest.skip(str(why))
            kept.write_bytes(pickle.dumps(made))
    found: Parts = pickle.loads(kept.read_bytes())  # noqa: S301 - our own
    return found
