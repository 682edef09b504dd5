"""What the end-to-end tests share: one deployed connector.

Nothing is skipped: what is missing fails, with its remedy.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.cloud.embedded_aws import EmbeddedAws
from local.cloud.session import LocalConnector
from test.e2e.announcements import Subscription
from test.e2e.connector import Connector

CONTEXT = {
    # The demo's own pace would make the tests wait; AWS's behaviour does not depend on it.
    "retry_delay_seconds": "1",
    "max_receive_count": "3",
    # That they are refused by default is tested without a deployment.
    "allow_raw_identifiers": "true",
    "allow_audience_deletion": "true",
    # So that a file of some megabytes is a large one.
    "large_object_bytes": str(64 << 20),
}


@pytest.fixture(scope="session")
def connector() -> Iterator[LocalConnector]:
    """The stack, deployed into an embedded AWS of its own beside an emulator of its own."""
    with LocalConnector(context=CONTEXT) as deployed:
        deployed.put_credentials()
        yield deployed


@pytest.fixture(scope="session")
def deployed(connector: LocalConnector) -> Connector:
    """What the tests do with the deployed stack."""
    return Connector(connector)


@pytest.fixture
def subscription(deployed: Connector) -> Iterator[Subscription]:
    """Hears what is announced from now on."""
    made = Subscription(deployed)
    yield made
    made.end()


@pytest.fixture
def sizes_are_shown_at_once(deployed: Connector) -> Iterator[None]:
    """TikTok takes hours until it shows how many people an audience has; whether a remove is safe depends on it."""
    before = deployed.control("settings")["valid_after_seconds"]
    deployed.control("settings", {"valid_after_seconds": 0})
    yield
    deployed.control("settings", {"valid_after_seconds": before})


@pytest.fixture(scope="session")
def aws() -> Iterator[EmbeddedAws]:
    """An embedded AWS with nothing in it."""
    with EmbeddedAws() as empty:
        yield empty
