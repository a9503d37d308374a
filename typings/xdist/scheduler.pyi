from pytest import Config

from xdist.remote import Producer

class LoadFileScheduling:
    def __init__(self, config: Config, log: Producer | None = None) -> None: ...
    def _split_scope(self, nodeid: str) -> str: ...
