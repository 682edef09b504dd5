"""One name, one audience: with other writers, late lists, lost answers and deaths in between."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from lambdas.attempts import SETTLE_SECONDS
from lambdas.audiences.attempt import Attempt
from lambdas.audiences.audience_writer import AudienceWriter
from lambdas.audiences.delivery import Applied, Delivery
from lambdas.audiences.history import Change, Entry
from lambdas.audiences.routes import FileRoute
from lambdas.aws.clock import SystemClock
from lambdas.aws.ledger import DynamoLedger
from lambdas.aws.registry import DynamoRegistry
from lambdas.tiktok.errors import CreateUnsettled, InvalidInput, NotReady, TikTokRejected, TikTokUnavailable
from lambdas.tiktok.models import (
    Action,
    AudienceDetails,
    AudienceListing,
    AudienceOutcome,
    AudienceSubType,
    CalculateType,
    CreatedAudience,
    CustomAudience,
    UploadedFile,
)
from test.support.builders import any_version
from test.support.clocks import FakeClock
from test.support.crashes import Killed
from test.support.stage import REGION, TABLE

NAME = "Foodies"
SECONDS_LEFT = 200.0
ADVERTISER = "7000000000000000001"
LOST = TikTokUnavailable("cut off", may_have_happened=True)
NOT_SENT = TikTokUnavailable("refused", may_have_happened=False)


class FakeTikTok:
    """Keeps audiences; each shows up in the list ``lag`` seconds after it was created."""

    def __init__(self, clock: Any, *, lag: float = 0, knows_by_id: bool = True) -> None:
        self.clock = clock
        self.lag = lag
        self.knows_by_id = knows_by_id
        self.is_whole = True
        self.audiences: dict[str, tuple[CustomAudience, float]] = {}
        self.applied: dict[str, list[str]] = {}
        self.on_create: Callable[[Callable[[], None]], None] = lambda commit: commit()
        self.on_list: Callable[[], None] = lambda: None

    def add(self, name: str = NAME, **changes: Any) -> str:
        audience_id = str(1000 + len(self.audiences))
        fields = {
            "audience_type": "Customer File Audience",
            "calculate_type": "EMAIL_SHA256",
            "is_creator": True,
            "cover_num": 0,
            "is_valid": False,
            "error_msg": "",
            "audience_sub_type": "NORMAL",
        }
        self.audiences[audience_id] = CustomAudience(audience_id, name, **{**fields, **changes}), self.clock.now()
        self.applied[audience_id] = []
        return audience_id

    def upload_file(
        self, content: Any, *, name: str, calculate_type: CalculateType, signature: str | None = None
    ) -> UploadedFile:
        raise NotImplementedError

    def list_audiences(self) -> AudienceListing:
        shown = [audience for audience, since in self.audiences.values() if self.clock.now() - since >= self.lag]
        self.on_list()
        return AudienceListing(tuple(shown), self.is_whole)

    def find_audience(self, audience_id: str) -> CustomAudience | None:
        return self.audiences[audience_id][0] if self.knows_by_id and audience_id in self.audiences else None

    def find_details(self, audience_ids: Sequence[str]) -> Mapping[str, AudienceDetails]:
        raise NotImplementedError

    def find_outcome(self, audience_id: str, *, since: str | None) -> AudienceOutcome | None:
        raise NotImplementedError

    def delete(self, audience_id: str) -> str:
        raise NotImplementedError

    def update_sub_type(self, audience_id: str) -> str:
        raise NotImplementedError

    def create(
        self,
        name: str,
        *,
        calculate_type: CalculateType,
        file_paths: Sequence[str],
        retention_in_days: int | None = None,
        audience_sub_type: AudienceSubType | None = None,
    ) -> CreatedAudience:
        made: list[str] = []

        def commit() -> None:
            made.append(self.add(name, calculate_type=str(calculate_type)))
            self.applied[made[0]] += file_paths

        self.on_create(commit)
        return CreatedAudience(made[0], "request")

    def update(self, audience_id: str, *, action: Action, file_paths: Sequence[str]) -> str:
        assert action is Action.APPEND
        self.applied[audience_id] += file_paths
        return "request"


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("dynamodb", region_name=REGION)
        client.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield OneAtATime(client)


class OneAtATime:
    """DynamoDB carries out each request as a whole; moto's does not, when threads share it."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        def call(**arguments: Any) -> Any:
            with self._lock:
                return getattr(self._client, name)(**arguments)

        return call


class Scene:
    """A writer, its ledger and its TikTok, under one clock."""

    def __init__(self, dynamodb: Any, clock: Any, **tiktok: Any) -> None:
        self.clock = clock
        self.tiktok = FakeTikTok(clock, **tiktok)
        self.ledger = DynamoLedger(dynamodb, table=TABLE, prefix="audience#", now=clock.now)
        self.writer = AudienceWriter(
            self.tiktok,
            self.ledger,
            DynamoRegistry(dynamodb, table=TABLE),
            clock,
            advertiser_id=ADVERTISER,
            seconds_left=lambda: SECONDS_LEFT,
            minimum_size=0,
        )

    def append(self, path: str, owner: str = "object", format_name: str = "email_sha256") -> Applied:
        """What one delivery of an object does, once its rows are uploaded."""
        version = any_version(f"tiktok/{NAME}/{format_name}/{owner}.csv", version_id="1")
        attempt = Attempt(self.ledger, version.id, version, owner, lambda: SECONDS_LEFT, Delivery())
        nobody_is_suppressed: Any = SimpleNamespace(suppression=lambda: "")
        route = FileRoute(self.tiktok, nobody_is_suppressed, attempt, self.clock)
        entry = Entry(version, Change.APPEND, rows=1, file_paths=(path,), uploaded_at=self.clock.now())
        return self.writer.apply(NAME, entry, route)

    def append_later(self, path: str, owner: str) -> None:
        """As the queue would: again after the wait, while the outcome of a create is unknown."""
        for _ in range(100):
            try:
                self.append(path, owner)
                return
            except (CreateUnsettled, NotReady) as error:
                self.clock.sleep(error.wait_seconds)
        raise AssertionError("never its turn")

    @property
    def files(self) -> list[list[str]]:
        return [sorted(set(paths)) for paths in self.tiktok.applied.values()]


@pytest.fixture
def scene(dynamodb: Any) -> Callable[..., Scene]:
    return lambda **tiktok: Scene(dynamodb, FakeClock(), **tiktok)


def test_two_writers_at_once_make_one_audience(dynamodb: Any) -> None:
    scene = Scene(dynamodb, SystemClock())
    first_lists, second_waits = threading.Event(), threading.Event()

    def pause_the_first() -> None:
        if not first_lists.is_set():
            first_lists.set()
            assert second_waits.wait(10)

    scene.tiktok.on_list = pause_the_first
    first = threading.Thread(target=scene.append, args=("a", "first"))
    first.start()
    assert first_lists.wait(10)
    with pytest.raises(NotReady):
        scene.ledger.claim(f"{ADVERTISER}/{NAME}", owner="second", seconds=1)
    second_waits.set()
    first.join()
    scene.append("b", "second")

    assert scene.files == [["a", "b"]]


def test_many_writers_at_once_make_one_audience(dynamodb: Any) -> None:
    scene = Scene(dynamodb, SystemClock())
    scene.tiktok.on_list = lambda: time.sleep(0)  # let the other threads in between list and create
    threads = [threading.Thread(target=scene.append, args=(f"{n}", f"object {n}")) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert scene.files == [sorted(f"{n}" for n in range(8))]


def test_a_writer_whose_lease_ran_out_while_it_listed_does_not_create(scene: Callable[..., Scene]) -> None:
    here = scene()

    def somebody_else_comes_and_goes() -> None:
        here.tiktok.on_list = lambda: None
        here.clock.sleep(SECONDS_LEFT + 1)
        here.append("b", "second")

    here.tiktok.on_list = somebody_else_comes_and_goes

    with pytest.raises(NotReady):
        here.append("a", "first")

    here.append("a", "first")
    assert here.files == [["a", "b"]]


def test_a_writer_that_was_overtaken_does_not_release_the_others_lease(scene: Callable[..., Scene]) -> None:
    here = scene()
    key = f"{ADVERTISER}/{NAME}"

    def somebody_else_comes_and_stays() -> None:
        here.tiktok.on_list = lambda: None
        here.clock.sleep(SECONDS_LEFT + 1)
        here.ledger.claim(key, owner="second", seconds=SECONDS_LEFT)

    here.tiktok.on_list = somebody_else_comes_and_stays
    with pytest.raises(NotReady):
        here.append("a", "first")

    with pytest.raises(NotReady):
        here.ledger.claim(key, owner="third", seconds=1)


@pytest.mark.parametrize("lag", [0, SETTLE_SECONDS / 2, SETTLE_SECONDS + 2, 600])
def test_an_audience_that_we_made_is_found_however_late_it_shows_up(scene: Callable[..., Scene], lag: float) -> None:
    here = scene(lag=lag)
    here.append("a", "first")
    here.clock.sleep(SETTLE_SECONDS + 1)

    here.append("b", "second")

    assert here.files == [["a", "b"]]


def test_an_audience_that_was_deleted_at_tiktok_is_made_anew(scene: Callable[..., Scene]) -> None:
    here = scene()
    here.append("a", "first")
    here.tiktok.audiences.clear()
    here.tiktok.applied.clear()

    applied = here.append("b", "second")

    assert applied.action == "CREATE"
    assert here.files == [["b"]]


@pytest.mark.parametrize("lag", [0, SETTLE_SECONDS - 1])
@pytest.mark.parametrize("committed", [True, False])
def test_a_create_without_an_answer_makes_one_audience_whoever_comes_next(
    scene: Callable[..., Scene], lag: float, committed: bool
) -> None:
    here = scene(lag=lag)

    def lose_the_answer(commit: Callable[[], None]) -> None:
        here.tiktok.on_create = lambda commit: commit()
        if committed:
            commit()
        raise LOST

    here.tiktok.on_create = lose_the_answer
    with suppress(CreateUnsettled):
        here.append("a", "first")
    here.append_later("b", "second")
    here.append_later("a", "first")

    assert here.files == [["a", "b"]]


@pytest.mark.parametrize("lag", [0, SECONDS_LEFT + SETTLE_SECONDS - 10])
@pytest.mark.parametrize("committed", [True, False])
def test_a_death_in_a_create_makes_one_audience_whoever_comes_next(
    scene: Callable[..., Scene], lag: float, committed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = scene(lag=lag)

    def die(commit: Callable[[], None]) -> None:
        here.tiktok.on_create = lambda commit: commit()
        if committed:
            commit()
        monkeypatch.setattr(here.ledger, "release", lambda *_, **__: None)
        raise Killed

    here.tiktok.on_create = die
    with pytest.raises(Killed):
        here.append("a", "first")
    monkeypatch.undo()

    here.append_later("b", "second")
    here.append_later("a", "first")

    assert here.files == [["a", "b"]]


def test_a_look_up_that_takes_longer_than_settling_still_waits_for_a_moment(scene: Callable[..., Scene]) -> None:
    here = scene()

    def lose_the_answer(_: Callable[[], None]) -> None:
        here.tiktok.on_list = lambda: here.clock.sleep(SETTLE_SECONDS + 5)
        raise LOST

    here.tiktok.on_create = lose_the_answer

    with pytest.raises(CreateUnsettled) as raised:
        here.append("a", "first")

    assert raised.value.wait_seconds is not None
    assert raised.value.wait_seconds > 0


@pytest.mark.parametrize("error", [NOT_SENT, TikTokRejected("400 audiences")])
def test_a_create_that_certainly_did_not_happen_leaves_no_wait_behind(
    scene: Callable[..., Scene], error: Exception
) -> None:
    here = scene()

    def refuse(_: Callable[[], None]) -> None:
        here.tiktok.on_create = lambda commit: commit()
        raise error

    here.tiktok.on_create = refuse
    with pytest.raises(type(error)):
        here.append("a", "first")

    assert here.append("a", "first").action == "CREATE"


def test_an_audience_that_was_renamed_at_tiktok_is_not_the_one_of_the_name(scene: Callable[..., Scene]) -> None:
    here = scene(lag=600)
    here.append("a", "first")
    [(audience_id, (audience, since))] = here.tiktok.audiences.items()
    here.tiktok.audiences[audience_id] = replace(audience, name="renamed"), since

    assert here.append("b", "second").action == "CREATE"
    assert here.files == [["a"], ["b"]]


def test_a_list_that_is_not_whole_shows_what_is_there_but_not_what_is_missing(scene: Callable[..., Scene]) -> None:
    here = scene()
    here.tiktok.is_whole = False

    with pytest.raises(TikTokUnavailable):
        here.append("a", "first")
    here.tiktok.add()

    assert here.append("a", "first").action == "APPEND"


def test_an_audience_that_another_advertiser_shares_is_not_ours(scene: Callable[..., Scene]) -> None:
    here = scene()
    here.tiktok.add(is_creator=False)

    assert here.append("a").action == "CREATE"
    assert here.files == [[], ["a"]]


def test_of_two_audiences_of_one_name_the_one_that_we_made_is_ours(scene: Callable[..., Scene]) -> None:
    here = scene()
    here.append("a", "first")
    here.tiktok.add()

    here.append("b", "second")

    assert here.files == [["a", "b"], []]


@pytest.mark.parametrize("held", ["PHONE_SHA256", "IDFA_MD5", "FIRST_SHA256", "MULTIPLE_TYPES"])
def test_an_audience_that_holds_something_else_is_left_alone(scene: Callable[..., Scene], held: str) -> None:
    here = scene()
    here.tiktok.add(calculate_type=held)

    with pytest.raises(InvalidInput) as raised:
        here.append("a")

    assert raised.value.reason == "calculate_type_mismatch"
    assert here.files == [[]]


def test_an_audience_of_another_kind_is_left_alone(scene: Callable[..., Scene]) -> None:
    here = scene()
    here.tiktok.add(audience_type="Lookalike Audience", calculate_type="")

    with pytest.raises(InvalidInput) as raised:
        here.append("a")

    assert raised.value.reason == "not_a_customer_file"


def test_first_and_maid_are_one_content(scene: Callable[..., Scene]) -> None:
    here = scene()
    here.tiktok.add(calculate_type="MAID_SHA256")

    here.append("a", format_name="first_sha256")

    assert here.files == [["a"]]
