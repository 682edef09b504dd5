"""The ledger without a database, for tests that make thousands of calls. The real adapters have their own tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from lambdas.tiktok.errors import NotReady


@dataclass
class Item:
    """What is kept under one key."""

    document: str = "{}"
    held_by: str = ""
    held_until: float = 0.0


@dataclass
class Table:
    """Stands in for the client: what is called here is what a crash can come before or after."""

    items: dict[str, Item] = field(default_factory=dict)
    registered: dict[str, set[str]] = field(default_factory=dict)
    settings: dict[str, bytes] = field(default_factory=dict)

    def claim(self, *, key: str, owner: str, now: float, until: float) -> str:
        """Hold an item. Raises NotReady while somebody else does."""
        item = self.items.setdefault(key, Item())
        if item.held_by not in ("", owner) and item.held_until >= now:
            raise NotReady("held", wait_seconds=item.held_until - now + 1)
        item.held_by, item.held_until = owner, until
        return item.document

    def get(self, *, key: str) -> str:
        """An item's document, whoever holds it."""
        return self.items.get(key, Item()).document

    def save(self, *, key: str, owner: str, document: str) -> None:
        """Change an item that is held. Raises NotReady when it was taken over."""
        if self.items[key].held_by != owner:
            raise NotReady("taken over", wait_seconds=0)
        self.items[key].document = document

    def release(self, *, key: str, owner: str) -> None:
        """Hold an item no longer."""
        if self.items[key].held_by == owner:
            self.items[key].held_by = ""

    def add(self, *, advertiser_id: str, name: str) -> None:
        """Register a name."""
        self.registered.setdefault(advertiser_id, set()).add(name)

    def names(self, *, advertiser_id: str) -> list[str]:
        """The registered names."""
        return sorted(self.registered.get(advertiser_id, ()))

    def keep(self, *, audience: str, content: bytes) -> None:
        """Remember settings."""
        self.settings[audience] = content

    def kept(self, *, audience: str) -> bytes | None:
        """The remembered settings."""
        return self.settings.get(audience)


class MemoryLedger:
    """As ``DynamoLedger``, over a table."""

    def __init__(
        self, client: Table, *, table: str, prefix: str, now: Callable[[], float], keep_days: int | None = None
    ) -> None:
        self._table = client
        self._prefix = prefix
        self._now = now

    def claim(self, key: str, *, owner: str, seconds: float) -> dict[str, Any]:
        """See the port."""
        now = self._now()
        document: dict[str, Any] = json.loads(
            self._table.claim(key=self._prefix + key, owner=owner, now=now, until=now + seconds)
        )
        return document

    def read(self, key: str) -> dict[str, Any]:
        """See the port."""
        document: dict[str, Any] = json.loads(self._table.get(key=self._prefix + key))
        return document

    def save(self, key: str, document: Mapping[str, Any], *, owner: str) -> None:
        """See the port."""
        self._table.save(key=self._prefix + key, owner=owner, document=json.dumps(document))

    def release(self, key: str, *, owner: str) -> None:
        """See the port."""
        with suppress(NotReady):
            self._table.release(key=self._prefix + key, owner=owner)


class MemoryRegistry:
    """As ``DynamoRegistry``, over a table."""

    def __init__(self, client: Table, *, table: str) -> None:
        self._table = client

    def add(self, advertiser_id: str, name: str) -> None:
        """See the port."""
        self._table.add(advertiser_id=advertiser_id, name=name)

    def names(self, advertiser_id: str) -> list[str]:
        """See the port."""
        return self._table.names(advertiser_id=advertiser_id)

    def keep_settings(self, audience: str, content: bytes) -> None:
        """See the port."""
        self._table.keep(audience=audience, content=content)

    def kept_settings(self, audience: str) -> bytes | None:
        """See the port."""
        return self._table.kept(audience=audience)
