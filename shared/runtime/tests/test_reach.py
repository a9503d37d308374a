"""A stranger's address is gone to where it is one of the world's, and nowhere inside."""

from ipaddress import ip_address

import pytest
from shared_runtime.reach import Reach

WORLD, HERE = Reach(), Reach(local=True)


@pytest.mark.parametrize(
    "address",
    [
        *("1.1.1.1", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0"),
        *("169.253.255.255", "223.255.255.255", "2606:4700::1111", "::ffff:1.1.1.1", "2a00::1"),
    ],
)
def test_the_world_is_gone_to(address: str) -> None:
    assert WORLD.may_go_to(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        *("10.0.0.1", "172.16.0.0", "172.31.255.255", "192.168.1.1"),  # private
        *("127.0.0.1", "127.255.255.254", "::1"),  # this machine
        *("0.0.0.0", "0.1.2.3", "::"),  # noqa: S104 - nowhere, which means this machine
        *("169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0"),  # this link; metadata
        *("100.64.0.0", "100.127.255.255", "100.100.100.200"),  # a carrier's own; metadata
        *("168.63.129.16", "192.0.0.192", "fd00:ec2::254"),  # metadata of others
        *("224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"),  # to many
        *("240.0.0.1", "255.255.255.255"),  # reserved; to all
        *("192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1"),  # of documents
        *("198.18.0.1", "198.19.255.255"),  # of measurements
        *("fc00::1", "fdff::1", "fec0::1"),  # private
        *("::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254"),  # of IPv4, mapped
        *("::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::1"),  # of IPv4, otherwise
        *("2002:0a00:0001::1", "2002:7f00:1::", "2001:0:1::1"),  # in tunnels
    ],
)
def test_what_is_inside_or_for_something_particular_is_not_gone_to(address: str) -> None:
    assert not WORLD.may_go_to(ip_address(address))


def test_a_developers_machine_is_gone_to_from_there_alone() -> None:
    for address in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
        assert HERE.may_go_to(ip_address(address))
        assert not WORLD.may_go_to(ip_address(address))
    for address in ("10.0.0.1", "169.254.169.254", "::ffff:10.0.0.1"):
        assert not HERE.may_go_to(ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        *("https://shop.example", "https://shop.example:443/a?b=c", "HTTPS://A.B/c"),
        *("https://1.1.1.1/", "https://[2606:4700::1111]/x", "https://xn--bcher-kva.example/"),
    ],
)
def test_an_address_of_the_world_is_taken(url: str) -> None:
    assert WORLD.fault_of_url(url) is None


@pytest.mark.parametrize(
    "url",
    [
        *("http://shop.example", "ftp://shop.example", "file:///etc/passwd", "gopher://a/", "//a"),
        *("https://", "https:///path", "shop.example", "", "https://shop.example:99999/"),
        *("https://shop.example:8443/", "https://shop.example:22/", "https://shop.example:0/"),
        *("https://user@shop.example/", "https://a:b@shop.example/", "https://@shop.example/"),
        *("https://shop.example/#part", "https://shop.example/ x", "https://shop.example/\n"),
        *("https://b\u00fccher.example/", "https://shop.example\\@10.0.0.1/"),
        *("https://127.0.0.1/", "https://[::1]/", "https://[::ffff:10.0.0.1]/"),
        *("https://169.254.169.254/latest/meta-data", "https://[fd00:ec2::254]/", "https://[::/"),
    ],
)
def test_an_address_that_is_none_or_inside_is_refused(url: str) -> None:
    assert WORLD.fault_of_url(url) is not None


def test_plain_http_and_any_port_are_for_a_developers_machine() -> None:
    for url in ("http://127.0.0.1:8123/told", "http://localhost:8123/", "https://[::1]:9000/"):
        assert HERE.fault_of_url(url) is None
        assert WORLD.fault_of_url(url) is not None
    assert HERE.fault_of_url("http://10.0.0.1/") is not None
    assert HERE.fault_of_url("ftp://127.0.0.1/") is not None
