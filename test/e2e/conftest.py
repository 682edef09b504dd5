"""What the end-to-end tests share: one deployed connector.

Nothing is skipped: what is missing fails, with its remedy.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.cloud.embedded_aws import EmbeddedAws
from local.cloud.session import LocalConnector

# The demo's own pace would make the tests wait; AWS's behaviour does not depend on it.
CONTEXT = {"retry_delay_seconds": "1"}


@pytest.fixture(scope="session")
def connector() -> Iterator[LocalConnector]:
    """The stack, deployed into an embedded AWS of its own beside an emulator of its own."""
    with LocalConnector(context=CONTEXT) as deployed:
        deployed.put_credentials()
        yield deployed


@pytest.fixture(scope="session")
def aws() -> Iterator[EmbeddedAws]:
    """An embedded AWS with nothing in it."""
    with EmbeddedAws() as empty:
        yield empty
