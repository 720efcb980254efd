"""How much a server takes on: photos at a time, requests a client, and who may ask at all.

All of it runs on the event loop's thread.
"""

from __future__ import annotations

import hmac
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

from .refusals import Refusal, later

_CLIENTS = 10_000
"""Clients remembered, at most; beyond, whoever was not heard of for longest is forgotten."""

_RETRY = 1
"""Seconds after which a full queue is worth another try."""


class Gate:
    """Counts the photos that are read, wait or are worked on, and refuses what does not fit."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.taken = 0
        self.open = True

    def enter(self, photos: int) -> None:
        """Takes places.

        Raises:
            Refusal: there are not so many (503).
        """
        if self.taken + photos > self.room:
            raise later(503, "queue_full", f"{self.taken} of {self.room} photos are being worked on; try again", _RETRY)
        self.taken += photos

    def leave(self, photos: int) -> None:
        """Gives places back."""
        self.taken -= photos


class RateLimiter:
    """A token bucket for each client: `burst` requests at once, `rate` a second in the long run."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens left, and when

    def take(self, address: str) -> None:
        """Counts one request of a client.

        Raises:
            Refusal: it asked too often (429).
        """
        if self._rate == 0:
            return
        client, now = _client(address), self._clock()
        tokens, then = self._buckets.pop(client, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - then) * self._rate)
        allowed = tokens >= 1
        self._buckets[client] = (tokens - allowed, now)
        if len(self._buckets) > _CLIENTS:
            self._buckets.popitem(last=False)
        if not allowed:
            message = f"more than {self._burst} requests at once or {self._rate:g} a second; try again later"
            raise later(429, "rate", message, (1 - tokens) / self._rate)


def _client(address: str) -> str:
    """Whom an address stands for: one host, or an IPv6 network of 64 bits, of which a host has any address it likes."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(parsed.ipv4_mapped or ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))


def check_token(expected: str, authorization: str) -> None:
    """Compares a request's Authorization header with the token, in the same time whatever it holds.

    Raises:
        Refusal: it does not hold it (401).
    """
    scheme, _, token = authorization.partition(" ")
    right = hmac.compare_digest(token.strip().encode(), expected.encode())
    if expected and not (right and scheme.lower() == "bearer"):
        message = "this server wants its token: Authorization: Bearer TOKEN"
        raise Refusal(401, "unauthorized", message, WWW_Authenticate='Bearer realm="blan"')


def check_origin(origin: str | None, host: str) -> None:
    """Refuses what a page of another site makes a browser send.

    Raises:
        Refusal: the page comes from elsewhere (403).
    """
    if origin is not None and origin.partition("://")[2] != host:
        raise Refusal(403, "cross_site", f"a page of {origin[:200]} may not use this server")
