"""An address that a stranger has given in, whether it may be gone to out.

Whoever has us send to an address of his could have us ask what is inside, where only we can go. So
it has to be one of the world's: by its name when it is given, by each address that the name has
when it is gone to (`outside`).
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

URL_LENGTH_MAX = 2_000
HTTPS_PORT = 443

type Address = IPv4Address | IPv6Address

WORLD_V6 = IPv6Network("2000::/3")
"""What is given out of IPv6: all else is for something particular."""
TUNNELS_V6 = (
    IPv6Network("2001::/32"),  # Teredo
    IPv6Network("2002::/16"),  # 6to4
)
"""Addresses of IPv6 that lead to one of IPv4, which may be any."""
METADATA = IPv4Address("168.63.129.16")
"""Of one provider, what a machine is told about itself, at an address that looks like any."""


class NotReached(Exception):  # noqa: N818 - an answer
    """Nothing was answered. `code`: why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Reach(Struct, frozen=True, kw_only=True):
    """Where one may be sent to: to the world by HTTPS; on a developer's machine to that, too."""

    local: bool = False

    def fault_of_url(self, url: str) -> str | None:
        """What is wrong with an address, in words. What its name means is looked up later."""
        if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
            return "printable ASCII without spaces; a name as DNS has it"
        try:
            told = urlsplit(url)
            port = told.port
        except ValueError:
            return "an address like https://shop.example/webhooks"
        if told.scheme != "https" and not (self.local and told.scheme == "http"):
            return "https://…"
        if port not in (None, HTTPS_PORT) and not self.local:
            return f"port {HTTPS_PORT}, the usual one"
        return self._fault_of_host(told)

    def _fault_of_host(self, told: SplitResult) -> str | None:
        if not told.hostname or "@" in told.netloc or told.fragment:
            return "a host and a path: no user, no password, no fragment"
        address = _literal(told.hostname)
        if address is not None and not self.may_go_to(address):
            return "an address of the world"
        return None

    def may_go_to(self, address: Address) -> bool:
        """Whether it is one of the world's, and not one for something particular."""
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            return self.may_go_to(address.ipv4_mapped)
        if address.is_loopback:
            return self.local
        if isinstance(address, IPv6Address):
            is_outer = address in WORLD_V6 and not any(address in each for each in TUNNELS_V6)
        else:
            is_outer = not address.is_multicast and not address.is_reserved and address != METADATA
        return is_outer and address.is_global


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
