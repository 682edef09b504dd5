"""Delivers a file of web events as the function does, with the same code, on memory instead of DynamoDB.

S3 and TikTok are real HTTP servers. Only the ledger, the registry and the secret are stood in for.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

from bench.files import EVENTS_NOW
from bench.measuring import report
from bench.stand_ins import GivenCredentials, MemoryLedger, MemoryRegistry, SilentBus, new_s3_client
from lambdas.aws.clock import SystemClock
from lambdas.aws.object_store import S3ObjectStore
from lambdas.aws.suppression_store import S3SuppressionStore
from lambdas.events.composition import AdvertiserApi
from lambdas.events.preparation import Deployment, Preparation
from lambdas.events.service import EventDelivery, Result
from lambdas.objects import ObjectVersion
from lambdas.tiktok.client import TikTokClient
from lambdas.tiktok.event_sources import EventSourceApi
from lambdas.tiktok.events import EventApi
from lambdas.tiktok.models import Credentials, EventSource
from lambdas.tiktok.rate import NoPacer
from lambdas.tiktok.transport import HttpTransport

_BUCKET = "data"
_SOURCE_ID = "BENCHMARKPIXEL000001"
_FUNCTION_SECONDS = 900.0
_THREADS = 5


class _ClockOfTheFile(SystemClock):
    """By which its events are not too old."""

    def now(self) -> float:
        """See the port."""
        return EVENTS_NOW


@dataclass(frozen=True)
class _Clients:
    transport: HttpTransport

    def api_for(self, credentials: Credentials) -> AdvertiserApi:
        """The calls of one advertiser."""
        client = TikTokClient(self.transport, credentials, pacer=NoPacer())
        return AdvertiserApi(EventApi(client), EventSourceApi(client))


def deliver(object_url: str, tiktok_url: str, file: str, size: int) -> int:
    """Deliver a file once; returns how many events TikTok has taken. Raises ConnectorError."""
    s3, clock = new_s3_client(object_url), _ClockOfTheFile()
    objects = S3ObjectStore(s3, bucket=_BUCKET)
    preparation = Preparation(
        Deployment(max_age_days={EventSource.WEB: 28}, thread_count=_THREADS),
        objects=objects,
        kept_settings=MemoryRegistry(),
        suppressions=S3SuppressionStore(s3, bucket=_BUCKET, now=clock.now),
        credentials=GivenCredentials(Credentials("token", "1")),
        sources=MemoryLedger(),
        api_for=_Clients(HttpTransport(tiktok_url)).api_for,
        count=lambda *_: None,
        clock=clock,
    )
    delivery = EventDelivery(
        objects=objects,
        deliveries=MemoryLedger(),
        bus=SilentBus(),
        preparation=preparation,
        clock=clock,
    )
    key = f"events/web/{_SOURCE_ID}/{file}"
    version = ObjectVersion(_BUCKET, key, "1", size, "2026-11-21T12:00:00Z", "1")
    outcome = delivery.deliver(version, owner="bench", seconds_left=lambda: _FUNCTION_SECONDS)
    if outcome.result is not Result.DELIVERED or outcome.delivery is None:
        raise RuntimeError(f"not delivered, but {outcome.result}")
    return outcome.delivery.progress.accepted


if __name__ == "__main__":
    object_url, tiktok_url, file, size = sys.argv[1:]
    began = time.perf_counter()
    done = deliver(object_url, tiktok_url, file, int(size))
    report(seconds=time.perf_counter() - began, done=done)
