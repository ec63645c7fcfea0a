"""Which URLs and which addresses a webhook may have: none within, unless the installation allows its network. Pure.

Names are no help: `127.1`, `2130706433`, `0x7f000001` and a name that somebody else's DNS answers are all loopback. So
it is the resolved address that is judged, and the one that was judged is the one that is connected to.
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple
from urllib.parse import urlsplit

from runtime.errors import SettingsError
from wfm_bridge.webhooks.errors import WebhookError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_URL = 2048
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_NOT_GLOBAL = tuple(
    map(
        ipaddress.ip_network,
        # Of IANA's registries of special-purpose addresses those that Python's `is_global` lets pass, in one release or
        # another: protocol assignments (with a cloud's metadata at 192.0.0.192), relays of 6to4, local NAT64.
        ("192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "2001::/23", "5f00::/16", "fec0::/10"),
    )
)


class Receiver(NamedTuple):
    """A URL in its parts. `host`: as it is resolved; `authority`: as the request names it."""

    secure: bool
    host: str
    port: int
    authority: str
    target: str


def receiver_of(url: str) -> Receiver:
    """Return the parts of a URL; raises WebhookError, with the remedy, for one that cannot be a receiver's."""
    _check_characters(url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as problem:
        raise WebhookError(f"{url!r} is no URL: {problem}") from problem
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise WebhookError(f"{url!r}: give a URL such as https://wfm.example.com/trunkline")
    if parts.username is not None or parts.password is not None:
        raise WebhookError("the URL names a user: messages are signed, so leave the part before '@' out")
    if parts.fragment or url.endswith("#"):
        raise WebhookError(f"{url!r} has a fragment, which no receiver would see: leave out '#' and what follows")
    if port == 0:
        raise WebhookError(f"{url!r}: there is no port 0")
    secure = parts.scheme == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Receiver(secure, parts.hostname, port or (443 if secure else 80), parts.netloc, target)


def _check_characters(url: str) -> None:
    if len(url) > MAX_URL:
        raise WebhookError(f"the URL has {len(url)} characters, and may have {MAX_URL}")
    odd = sorted({each for each in url if not "!" <= each <= "~" or each == "\\"})
    if odd:
        raise WebhookError(
            f"the URL holds {', '.join(map(repr, odd))}: write names of hosts in punycode (xn--...), and the rest "
            "percent-encoded"
        )


def networks_of(text: str) -> tuple[Network, ...]:
    """Return the networks of a setting, separated by commas; raises SettingsError where one is none."""
    try:
        return tuple(ipaddress.ip_network(each.strip()) for each in text.split(",") if each.strip())
    except ValueError as problem:
        raise SettingsError(
            f"TRUNKLINE_ALLOW_PRIVATE (--allow-private) is {text!r}: {problem}. Write networks such as "
            "10.20.0.0/16,127.0.0.1/32."
        ) from problem


def refusal(address: Address, allowed: tuple[Network, ...], *, secure: bool) -> str | None:
    """Return why an address is not connected to, None where it may be. secure: it is spoken to over TLS."""
    if any(address in network for network in allowed):
        return None
    kind = _kind(address)
    if kind is not None:
        return f"{address} is {kind}: no webhook goes there unless its network is in TRUNKLINE_ALLOW_PRIVATE"
    if not secure:
        return f"{address} is not in TRUNKLINE_ALLOW_PRIVATE: elsewhere webhooks go over https alone"
    return None


def _kind(address: Address) -> str | None:
    """Return what an address is where it is not public; one that wraps another is what that one is."""
    inner = _wrapped(address)
    if inner is not None:
        found = _kind(inner)
        return None if found is None else f"{inner} in disguise, which is {found}"
    kinds = (
        (address.is_loopback, "loopback"),
        (address.is_link_local, "link-local, where clouds keep their metadata"),
        (address.is_multicast, "multicast"),
        (address.is_unspecified, "unspecified"),
        (address.is_reserved or any(address in each for each in _NOT_GLOBAL), "reserved"),
        (not address.is_global, "private"),
    )
    return next((word for applies, word in kinds if applies), None)


def _wrapped(address: Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv6 address stands for: mapped, compatible, 6to4, Teredo or NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)
