"""Who may ask for what: by a token, or by the word of a proxy that is trusted."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple, Self

from starlette.datastructures import Headers

from journey_stream.worker.config import Settings


class Caller(NamedTuple):
    """Who asks. `name` tells callers apart, and is no secret."""

    name: str
    is_admin: bool


@dataclass(frozen=True, slots=True)
class Access:
    """Tokens that read, tokens that may do everything, and proxies that say in a header who their user is.

    With `customers_need_admin`, what shows single customers is for admins. Without tokens and proxies everything is
    for everybody.
    """

    read_tokens: frozenset[str] = frozenset()
    admin_tokens: frozenset[str] = frozenset()
    customers_need_admin: bool = False
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    user_header: str = "X-Forwarded-User"
    admins: frozenset[str] = frozenset()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """What the settings say. Raises UnusableFile, an OSError."""
        return cls(
            settings.read_tokens,
            settings.admin_tokens,
            settings.serve_customers == "admin",
            tuple(ip_network(one) for one in settings.serve_trusted_proxies),
            settings.serve_user_header,
            frozenset(settings.serve_admins),
        )

    @property
    def is_open(self) -> bool:
        """Whether nobody has to say who they are."""
        return not (self.read_tokens or self.admin_tokens or self.proxies)

    def caller(self, address: str, headers: Headers) -> Caller | None:
        """Who asks from `address`, which is that of the connection; None for somebody unknown.

        A token counts from anywhere; the header of a user from trusted proxies only, and only if it is there once:
        two would mean that the proxy lets through what its own client has written.
        """
        if self.is_open:
            return Caller(address, is_admin=True)
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            if (number := _position(given.strip(), self.admin_tokens)) is not None:
                return Caller(f"admin token {number}", is_admin=True)
            if (number := _position(given.strip(), self.read_tokens)) is not None:
                return Caller(f"token {number}", is_admin=False)
        users = headers.getlist(self.user_header)
        if len(users) == 1 and users[0].strip() and self._trusts(address):
            user = users[0].strip()
            return Caller(f"user {user}", is_admin=user in self.admins)
        return None

    def _trusts(self, address: str) -> bool:
        try:
            found = ip_address(address)
        except ValueError:  # no address at all, as that of a Unix socket
            return False
        if isinstance(found, IPv6Address) and found.ipv4_mapped:
            found = found.ipv4_mapped
        return any(found in network for network in self.proxies)


def _position(given: str, tokens: Iterable[str]) -> int | None:
    """Which of the tokens it is. All are compared, so that the time it takes tells nothing."""
    found = None
    for number, token in enumerate(sorted(tokens)):
        if hmac.compare_digest(given.encode("latin-1", "replace"), token.encode()):
            found = number
    return found
