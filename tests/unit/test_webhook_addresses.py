"""Where webhooks may go: URLs, and the addresses that names and odd numbers stand for."""

from __future__ import annotations

import ipaddress

import pytest

from runtime.errors import SettingsError
from wfm_bridge.webhooks.addresses import networks_of, receiver_of, refusal
from wfm_bridge.webhooks.errors import WebhookError
from wfm_bridge.webhooks.post import addresses_of

REFUSED = {
    # as written: what it is
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "::1": "loopback",
    "0.0.0.0": "unspecified",  # noqa: S104 - nothing is bound
    "::": "unspecified",
    "10.1.2.3": "private",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.168.1.1": "private",
    "100.64.0.1": "private",
    "100.100.100.200": "private",
    "198.18.0.1": "private",
    "192.0.2.1": "private",
    "169.254.169.254": "link-local",
    "fe80::1": "link-local",
    "fe80::1%lo": "link-local",
    "192.0.0.192": "reserved",
    "240.0.0.1": "reserved",
    "255.255.255.255": "reserved",
    "fec0::1": "reserved",
    "64:ff9b:1::1": "reserved",
    "2001:db8::1": "reserved|private",
    "224.0.0.1": "multicast",
    "239.1.1.1": "multicast",
    "ff02::1": "multicast",
    "ff0e::1": "multicast",
    "fc00::1": "private",
    "fd00:ec2::254": "private",
    "::ffff:127.0.0.1": "disguise, which is loopback",
    "::ffff:a9fe:a9fe": "disguise, which is link-local",
    "::127.0.0.1": "disguise, which is loopback",
    "2002:7f00:1::": "disguise, which is loopback",
    "2002:c0a8:101::1": "disguise, which is private",
    "64:ff9b::7f00:1": "disguise, which is loopback",
    "64:ff9b::169.254.169.254": "disguise, which is link-local",
    "2001:0:4136:e378:8000:63bf:f5ff:fffe": "disguise, which is private",
}


@pytest.mark.parametrize(("written", "kind"), REFUSED.items())
def test_an_address_within_is_refused(written: str, kind: str) -> None:
    reason = refusal(ipaddress.ip_address(written), (), secure=True)
    assert reason is not None
    assert any(each in reason for each in kind.split("|")), reason
    assert "TRUNKLINE_ALLOW_PRIVATE" in reason


@pytest.mark.parametrize(
    "written", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::808:808", "2002:808:808::"]
)
def test_a_public_address_is_gone_to_over_tls_alone(written: str) -> None:
    address = ipaddress.ip_address(written)
    assert refusal(address, (), secure=True) is None
    assert "https alone" in str(refusal(address, networks_of("10.0.0.0/8"), secure=False))
    assert refusal(address, (ipaddress.ip_network(written),), secure=False) is None


@pytest.mark.parametrize(
    "host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0x7f.1", "127.0.0.1", "localhost", "::1", "0"]
)
def test_a_number_or_name_for_loopback_is_judged_by_its_address(host: str) -> None:
    found = addresses_of(host, 443)
    assert found
    assert all(refusal(each, (), secure=True) for each in found), found


@pytest.mark.parametrize(
    ("host", "kind"), [("2852039166", "link-local"), ("0xa9fea9fe", "link-local"), ("012.1.2.3", "private")]
)
def test_a_number_for_a_network_within_is_judged_by_its_address(host: str, kind: str) -> None:
    (found,) = addresses_of(host, 443)
    assert kind in str(refusal(found, (), secure=True))


def test_a_network_that_is_allowed_lets_its_own_addresses_pass_and_no_others() -> None:
    allowed = networks_of(" 10.20.0.0/16, fd00:1::/32 ,")
    passed = [str(each) for each in map(ipaddress.ip_address, ("10.20.3.4", "10.21.3.4", "fd00:1::5", "fd00:2::5"))
              if refusal(each, allowed, secure=False) is None]  # fmt: skip
    assert passed == ["10.20.3.4", "fd00:1::5"]


@pytest.mark.parametrize("text", ["private", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/8;127.0.0.1"])
def test_networks_that_are_none_are_named(text: str) -> None:
    with pytest.raises(SettingsError, match="TRUNKLINE_ALLOW_PRIVATE"):
        networks_of(text)


def test_a_url_is_taken_apart_as_it_will_be_asked_for() -> None:
    receiver = receiver_of("https://wfm.example.com/in/v1?tenant=acme")
    assert receiver == (True, "wfm.example.com", 443, "wfm.example.com", "/in/v1?tenant=acme")
    assert receiver_of("http://[fd00:1::5]:8080") == (False, "fd00:1::5", 8080, "[fd00:1::5]:8080", "/")


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("ftp://wfm.example.com/", "https://wfm.example.com"),
        ("wfm.example.com/in", "https://wfm.example.com"),
        ("https:///in", "https://wfm.example.com"),
        ("file:///etc/passwd", "https://wfm.example.com"),
        ("https://user:word@wfm.example.com/", "before '@'"),
        ("https://wfm.example.com@127.0.0.1/", "before '@'"),
        ("https://wfm.example.com/#top", "fragment"),
        ("https://wfm.example.com/#", "fragment"),
        ("https://wfm.example.com:99999/", "no URL"),
        ("https://wfm.example.com:0/", "no port 0"),
        ("https://[fe80::1", "no URL"),
        ("https://wfm.example.com/\r\nX-Header: 1", "percent-encoded"),
        ("https://wfm.example.com\\@evil.example.com/", "percent-encoded"),
        ("https://müller.example.com/", "punycode"),
        ("https://wfm.example.com/a b", "percent-encoded"),
        ("https://wfm.example.com/" + "a" * 2048, "2072 characters"),
    ],
)
def test_a_url_that_cannot_be_a_receivers_is_refused_with_the_remedy(url: str, wrong: str) -> None:
    with pytest.raises(WebhookError, match=wrong):
        receiver_of(url)
