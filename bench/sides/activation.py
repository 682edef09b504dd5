"""Delivers a file as the activation function does, with the same code, on memory instead of DynamoDB.

S3 and TikTok are real HTTP servers. Only the ledger, the registry and the secret are stood in for.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from bench.measuring import report
from bench.stand_ins import GivenCredentials, MemoryLedger, MemoryRegistry, SilentBus, new_s3_client
from lambdas.audiences.composition import AdvertiserApi
from lambdas.audiences.large_objects.distribution import Distribution
from lambdas.audiences.service import Activation, Ledgers, Outcome, Result, Rules
from lambdas.aws.clock import SystemClock
from lambdas.aws.object_store import S3ObjectStore
from lambdas.aws.suppression_store import S3SuppressionStore
from lambdas.contracts import CALCULATE_TYPES
from lambdas.executions import ExecutionStatus
from lambdas.objects import ObjectVersion
from lambdas.tiktok.audiences import AudienceApi
from lambdas.tiktok.client import TikTokClient
from lambdas.tiktok.models import Credentials
from lambdas.tiktok.protocol import Answer, Request
from lambdas.tiktok.rate import NoPacer, RequestPacer
from lambdas.tiktok.segments import SegmentApi
from lambdas.tiktok.transport import HttpTransport

_BUCKET = "data"
_FUNCTION_SECONDS = 900.0
# Of the 10 requests a second that TikTok allows, the share that a deployment takes by default.
_REQUESTS_PER_SECOND = 8.0
_LARGEST = 1 << 40
_LAST_CALLS = ("dmp/custom_audience/create/", "dmp/custom_audience/update/")


class NoExecutions:
    """One function does it all: that is what is measured."""

    def start(self, name: str, document: Mapping[str, Any]) -> None:
        """See the port."""
        raise NotImplementedError

    def find(self, name: str) -> ExecutionStatus | None:
        """See the port."""
        raise NotImplementedError


class CountingTransport:
    """Notes which calls were made, and how long the one took that makes an audience of the files."""

    def __init__(self, inner: HttpTransport) -> None:
        self._inner = inner
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.calls: Counter[str] = Counter()
        self.last_call_seconds = 0.0

    def send(self, request: Request, access_token: str) -> Answer:
        """See the transport."""
        began = time.perf_counter()
        answer = self._inner.send(request, access_token)
        self.calls[request.path] += 1
        if request.path in _LAST_CALLS:
            self.last_call_seconds += time.perf_counter() - began
        return answer


class Connector:
    """One environment of the activation function."""

    def __init__(self, object_url: str, tiktok_url: str, token: str, advertiser_id: str) -> None:
        # The last call carries everything that the emulator does with the members; TikTok does that afterwards.
        self.transport = CountingTransport(HttpTransport(tiktok_url, read_seconds=600))
        self._clock = SystemClock()
        self._s3 = new_s3_client(object_url)
        self._registry = MemoryRegistry()
        self._ledgers = Ledgers(MemoryLedger(), MemoryLedger(), MemoryLedger())
        self._credentials = Credentials(token, advertiser_id)

    def activate(self, key: str, version_id: str, size: int) -> Outcome:
        """Deliver an object. Raises ConnectorError."""
        version = ObjectVersion(_BUCKET, key, version_id, size, "2026-11-21T12:00:00Z", version_id)
        return self._new_activation().activate(version, owner="bench", seconds_left=lambda: _FUNCTION_SECONDS)

    def _new_activation(self) -> Activation:
        clock = self._clock
        objects = S3ObjectStore(self._s3, bucket=_BUCKET)
        return Activation(
            objects=objects,
            ledgers=self._ledgers,
            registry=self._registry,
            suppressions=S3SuppressionStore(self._s3, bucket=_BUCKET, now=clock.now),
            credentials=GivenCredentials(self._credentials),
            bus=SilentBus(),
            api_for=self._new_api_for(),
            distribution=Distribution(objects, MemoryLedger(), NoExecutions(), large_object_bytes=_LARGEST),
            clock=clock,
            rules=Rules(supported=CALCULATE_TYPES, max_invalid_ratio=0.01),
        )

    def _new_api_for(self) -> Callable[[Credentials], AdvertiserApi]:
        # The uploader that this is compared with keeps no rate; this one does, as the only function at work.
        pacer = RequestPacer(1 / _REQUESTS_PER_SECOND)

        def api_for(credentials: Credentials) -> AdvertiserApi:
            paced, free = (TikTokClient(self.transport, credentials, pacer=each) for each in (pacer, NoPacer()))
            return AdvertiserApi(AudienceApi(paced), SegmentApi(free))

        return api_for


def _main(where: list[str], name: str, file: str, size: int, deliveries: int) -> None:
    """Deliver so many versions of a file; the last of them is measured."""
    connector = Connector(*where)
    seconds, rows = 0.0, 0
    key = f"tiktok/{name}/email_sha256/{file}"
    for number in range(deliveries):
        connector.transport.forget()
        began = time.perf_counter()
        outcome = connector.activate(key, f"{number:02d}", size)
        seconds = time.perf_counter() - began
        if outcome.result is not Result.DELIVERED or outcome.delivery is None or outcome.delivery.check is None:
            raise RuntimeError(f"not delivered, but {outcome.result}")
        rows = outcome.delivery.check.tally.valid
    last_call = connector.transport.last_call_seconds
    report(
        seconds=seconds - last_call,
        last_call_seconds=last_call,
        rows=rows,
        calls=connector.transport.calls,
    )


if __name__ == "__main__":
    *where, name, file, size, deliveries = sys.argv[1:]
    _main(where, name, file, int(size), int(deliveries))
