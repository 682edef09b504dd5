import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from click.testing import CliRunner, Result
from moto import mock_aws

from cli.aws import Aws
from cli.main import main
from cli.receipts import newest_receipts
from cli.routes import EVENTS, LIVE_EVENTS
from cli.stack import OUTPUTS
from lambdas.audiences.delivery import Applied, Delivery, Status, receipt
from lambdas.audiences.domain import Target
from lambdas.audiences.formats import FORMATS
from lambdas.audiences.rows.check import check_file
from lambdas.audiences.rows.reading import Reading
from lambdas.contracts import CONFIRMED_ATTRIBUTE, STACK_NAME, STATUS_FILE, Output
from lambdas.tiktok.errors import InvalidInput
from test.integration.test_cli_dead_letters import Overruling, Queues, aws_client, denied, failing
from test.support.builders import any_hashes, any_version, as_file, notification_of

EMAILS = Reading(FORMATS["email_sha256"])
REGION = "us-east-1"
BUCKET = "data"
LEDGER = "ledger"


class Deployment(Queues):
    """A stack with its queues and its bucket, and the commands against it. ``queue`` and ``dead`` are for audiences."""

    def __init__(self) -> None:
        super().__init__()
        self.events = Queues("events", EVENTS)
        self.live_events = Queues("live-events", LIVE_EVENTS)
        self.s3: Any = aws_client("s3")
        self.s3.create_bucket(Bucket=BUCKET)
        self.outputs = {
            Output.BUCKET: BUCKET,
            Output.QUEUE_URL: self.queue,
            Output.DEAD_LETTER_QUEUE_URL: self.dead,
            Output.LEDGER_TABLE: LEDGER,
            Output.EVENT_QUEUE_URL: self.events.queue,
            Output.EVENT_DEAD_LETTER_QUEUE_URL: self.events.dead,
            Output.LIVE_EVENT_QUEUE_URL: self.live_events.queue,
            Output.LIVE_EVENT_DEAD_LETTER_QUEUE_URL: self.live_events.dead,
        }
        self.stack_name = STACK_NAME
        self.clients: dict[str, Any] = {"sqs": self.sqs, "s3": self.s3}

    def switch_off(self, *routes: str) -> None:
        """Deploy the stack without the pipelines of these routes."""
        for route in routes:
            for output in OUTPUTS[route]:
                del self.outputs[output]

    def run(self, *arguments: str, stdin: str | None = None, **environment: str) -> Result:
        aws = Aws(self._client, poll_seconds=0)
        with self._described_stack():
            return CliRunner().invoke(main, list(arguments), input=stdin, obj=aws, env=environment)

    def _client(self, service: str) -> Any:
        if service in self.clients:
            return self.clients[service]
        return aws_client(service)

    def _described_stack(self) -> Stubber:
        stubber = Stubber(aws_client("cloudformation"))
        stack = {
            "StackName": self.stack_name,
            "StackStatus": "CREATE_COMPLETE",
            "CreationTime": datetime(2026, 1, 1, tzinfo=UTC),
            "Outputs": [{"OutputKey": key.value, "OutputValue": value} for key, value in self.outputs.items()],
        }
        stubber.add_response("describe_stacks", {"Stacks": [stack]}, {"StackName": self.stack_name})
        return stubber

    def put_receipt(self, key: str, *, rows: int = 3, error: InvalidInput | None = None) -> str:
        version = any_version(key)
        applied = () if error else (Applied(key.split("/")[1], "7100", "APPEND", "request"),)
        status = Status.REJECTED if error else Status.DELIVERED
        delivery = Delivery(check=check_file([as_file(any_hashes(rows)) + b"abc\n"], EMAILS), applied=applied)
        target = Target(key.split("/")[1], FORMATS["email_sha256"])
        finished_at = "2026-11-21T12:00:00.000Z"
        document = receipt(version, target, delivery, status, finished_at=finished_at, error=error)
        self.s3.put_object(Bucket=BUCKET, Key=version.receipt_key, Body=json.dumps(document).encode())
        return version.receipt_key


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    for name in ("AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "AWS_PROFILE", "TIKTOK_CONNECTOR_STACK"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        yield Deployment()


def bury_three(deployment: Deployment) -> None:
    deployment.bury(
        notification_of(any_version("tiktok/Käufer/email_sha256/1.csv")), reason="token_rejected", detail="expired"
    )
    deployment.bury(
        notification_of(any_version("tiktok/[red]x/email_sha256/2.csv")), reason="no_valid_rows", detail="of 3"
    )
    deployment.bury("garbage")


def test_replay_moves_everything_after_a_yes(deployment: Deployment) -> None:
    bury_three(deployment)

    result = deployment.run("replay", stdin="y\n")

    assert result.exit_code == 0
    assert "3 messages to move back; 0 to leave" in result.output
    for shown in ("tiktok/Käufer/email_sha256/1.csv", "tiktok/[red]x/email_sha256/2.csv", "expired", "redriven"):
        assert shown in result.output
    assert "moved: 3, left: 0, failed: 0" in result.output
    assert (deployment.counts(deployment.dead), deployment.counts(deployment.queue)) == ((0, 0), (3, 0))


@pytest.mark.parametrize("answer", ["n\n", "\n", ""], ids=["no", "nothing", "end of input"])
def test_refusing_the_question_leaves_everything_visible_again(deployment: Deployment, answer: str) -> None:
    bury_three(deployment)

    result = deployment.run("replay", stdin=answer)

    assert result.exit_code == 1
    assert "moved:" not in result.output
    assert (deployment.counts(deployment.dead), deployment.counts(deployment.queue)) == ((3, 0), (0, 0))


def test_ctrl_c_at_the_question_leaves_everything_visible_again(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    bury_three(deployment)

    def interrupted(*_arguments: object, **_options: object) -> bool:
        assert deployment.counts(deployment.dead) == (0, 3)
        raise KeyboardInterrupt

    monkeypatch.setattr("click.confirm", interrupted)

    assert deployment.run("replay").exit_code == 1
    assert deployment.counts(deployment.dead) == (3, 0)


def test_replay_moves_only_what_is_chosen(deployment: Deployment) -> None:
    bury_three(deployment)

    result = deployment.run("replay", "--yes", "--reason", "token_rejected", "--key", "tiktok/Käufer/*")

    assert result.exit_code == 0
    assert "garbage" not in result.output
    assert "moved: 1, left: 2, failed: 0" in result.output
    assert (deployment.counts(deployment.dead), deployment.counts(deployment.queue)) == ((2, 0), (1, 0))


def test_replay_confirms_what_is_chosen_and_nothing_else(deployment: Deployment) -> None:
    bury_three(deployment)

    result = deployment.run("replay", "--confirm", "--reason", "token_rejected", stdin="y\n")

    assert result.exit_code == 0
    assert "1 message to confirm and move back; 2 to leave" in result.output
    assert "Move 1 message, and so confirm what is held?" in result.output
    assert deployment.attributes(deployment.queue) == [{CONFIRMED_ATTRIBUTE: "true"}]


def test_replay_confirms_nothing_unless_told_to(deployment: Deployment) -> None:
    bury_three(deployment)

    deployment.run("replay", "--yes", "--reason", "token_rejected")

    assert deployment.attributes(deployment.queue) == [{}]


def test_replay_of_nothing_says_so_and_succeeds(deployment: Deployment) -> None:
    result = deployment.run("replay")
    assert (result.exit_code, "There is no dead letter" in result.output) == (0, True)

    bury_three(deployment)
    result = deployment.run("replay", "--reason", "nope")
    assert result.exit_code == 0
    assert "None of 3 messages is chosen" in result.output
    assert "token_rejected: 1" in result.output
    assert deployment.counts(deployment.dead) == (3, 0)


def test_replay_of_more_than_a_screenful_shows_the_rest_as_counts(deployment: Deployment) -> None:
    deployment.bury_many(105)

    result = deployment.run("replay", "--yes")

    assert result.exit_code == 0
    assert "and 5 more" in result.output
    assert "moved: 105, left: 0, failed: 0" in result.output


@pytest.mark.parametrize(
    ("call", "sender_fault", "said"),
    [
        ("send_message_batch", False, "SQS failed, and they are still in the dead-letter queue"),
        ("delete_message_batch", False, "To move them again is harmless"),
        ("change_message_visibility_batch", True, "hidden for 15 min only"),
    ],
)
def test_replay_that_moves_not_all_fails_and_tells_why(
    deployment: Deployment, call: str, sender_fault: bool, said: str
) -> None:
    bury_three(deployment)
    deployment.clients["sqs"] = Overruling(deployment.sqs, **{call: failing("0", sender_fault=sender_fault)})

    result = deployment.run("replay", "--yes")

    assert result.exit_code == 1
    assert "moved: 2, left: 0, failed: 1" in result.output
    assert said in result.output
    assert "tiktok/Käufer/email_sha256/1.csv" in result.output.partition("failed: 1")[2]


def test_replay_that_aws_denies_half_way_reports_and_explains(deployment: Deployment) -> None:
    bury_three(deployment)
    deployment.clients["sqs"] = Overruling(deployment.sqs, send_message_batch=denied)

    result = deployment.run("replay", "--yes")

    assert result.exit_code == 1
    assert "moved: 0, left: 3, failed: 0" in result.output
    assert "Error: AWS denies" in result.output
    assert "Traceback" not in result.output
    assert deployment.counts(deployment.dead) == (3, 0)


def test_replay_says_when_messages_stay_hidden(deployment: Deployment) -> None:
    bury_three(deployment)
    deployment.clients["sqs"] = Overruling(deployment.sqs, change_message_visibility_batch=denied)

    result = deployment.run("replay", stdin="n\n")

    assert "3 messages could not be made visible again at once; that happens by itself within 15 min" in result.output


def test_status_leaves_the_dead_letter_queue_as_it_was(deployment: Deployment) -> None:
    deployment.bury_many(23)
    bodies = deployment.bodies(deployment.dead)

    for options in ((), ("--json",), ()):
        assert deployment.run("status", *options).exit_code == 0
        assert deployment.counts(deployment.dead) == (23, 0)

    assert deployment.bodies(deployment.dead) == bodies
    with deployment.hold() as hold:
        assert {(letter.reason, letter.detail) for letter in hold.letters} == {("token_rejected", "refused")}


def test_status_for_machines_has_exactly_this_shape(deployment: Deployment) -> None:
    bury_three(deployment)
    deployment.sqs.send_message(QueueUrl=deployment.queue, MessageBody="waiting")
    deployment.sqs.send_message(QueueUrl=deployment.queue, MessageBody="later", DelaySeconds=600)
    key = deployment.put_receipt("tiktok/Käufer/email_sha256/1.csv")

    document = json.loads(deployment.run("status", "--json").stdout)

    assert document["stack"] == STACK_NAME
    assert list(document["queues"]) == ["audiences", "events", "live-events"]
    queues = document["queues"]["audiences"]
    assert queues["queue"] == {"visible": 1, "in_flight": 0, "delayed": 1, "oldest_age_seconds": None}
    assert queues["dead_letter_queue"].pop("oldest_age_seconds") in range(60)
    assert queues["dead_letter_queue"] == {"visible": 3, "in_flight": 0, "delayed": 0}
    empty = {"visible": 0, "in_flight": 0, "delayed": 0, "oldest_age_seconds": None}
    assert document["queues"]["events"] == {"queue": empty, "dead_letter_queue": empty}
    assert sorted((letter["reason"], letter["detail"], letter["key"]) for letter in document["dead_letters"]) == [
        ("no_valid_rows", "of 3", "tiktok/[red]x/email_sha256/2.csv"),
        ("redriven", "", None),
        ("token_rejected", "expired", "tiktok/Käufer/email_sha256/1.csv"),
    ]
    for letter in document["dead_letters"]:
        assert letter.keys() == {"queue", "message_id", "reason", "detail", "key", "sent_at", "age_seconds"}
    assert document["receipts"] == [
        {
            "key": key,
            "status": "delivered",
            "reason": None,
            "audience": "Käufer",
            "action": "APPEND",
            "rows_sent": 3,
            "rows_invalid": 1,
            "finished_at": "2026-11-21T12:00:00.000Z",
            "source": None,
            "event_source": None,
            "events_sent": None,
            "events_invalid": None,
            "events_refused": None,
        }
    ]


def test_status_for_people_shows_queues_letters_and_receipts(deployment: Deployment) -> None:
    bury_three(deployment)
    deployment.put_receipt("tiktok/Käufer/email_sha256/1.csv", rows=1_200)
    deployment.put_receipt("tiktok/[b]x/email_sha256/2.csv", error=InvalidInput("none", reason="no_valid_rows"))

    output = deployment.run("status").output

    for shown in (
        "3 dead letters",
        "Last 2 receipts",
        "APPEND",
        "1,200",
        "rejected: no_valid_rows",
        "[b]x",
        "redriven",
    ):
        assert shown in output


def test_status_of_an_empty_deployment_is_no_error(deployment: Deployment) -> None:
    result = deployment.run("status")

    assert result.exit_code == 0
    assert "No receipts" in result.output
    assert "No receipts" not in deployment.run("status", "--receipts", "0").output


def test_status_shows_the_age_that_cloudwatch_knows(deployment: Deployment) -> None:
    cloudwatch: Any = aws_client("cloudwatch")
    cloudwatch.put_metric_data(
        Namespace="AWS/SQS",
        MetricData=[
            {
                "MetricName": "ApproximateAgeOfOldestMessage",
                "Dimensions": [{"Name": "QueueName", "Value": "queue-0"}],
                "Value": 4242,
                "Timestamp": datetime.now(UTC) - timedelta(minutes=3),
            }
        ],
    )

    queues = json.loads(deployment.run("status", "--json").stdout)["queues"]
    assert queues["audiences"]["queue"]["oldest_age_seconds"] == 4242
    assert queues["events"]["queue"]["oldest_age_seconds"] is None


def test_status_works_without_the_right_to_read_metrics(deployment: Deployment) -> None:
    deployment.clients["cloudwatch"] = Overruling(aws_client("cloudwatch"), get_metric_statistics=denied)

    assert deployment.run("status").exit_code == 0


def test_the_newest_receipts_come_first_and_no_more_than_asked_for(deployment: Deployment) -> None:
    keys = [f"receipts/tiktok/a/email_sha256/{number}.csv/v.json" for number in (5, 3, 9, 1, 7)]

    class Listing:
        def get_paginator(self, _name: str) -> Any:
            return self

        def paginate(self, **_arguments: str) -> Iterator[dict[str, Any]]:
            yield {
                "Contents": [
                    {"Key": key, "LastModified": datetime(2026, 1, int(key[31]), tzinfo=UTC)} for key in keys[:2]
                ]
            }
            yield {}
            yield {
                "Contents": [
                    {"Key": key, "LastModified": datetime(2026, 1, int(key[31]), tzinfo=UTC)} for key in keys[2:]
                ]
            }

        def __getattr__(self, name: str) -> Any:
            return getattr(deployment.s3, name)

    listing: Any = Listing()
    newest = newest_receipts(listing, BUCKET, 3)

    assert [(found.key[31], found.status) for found in newest] == [
        ("9", "unreadable"),
        ("7", "unreadable"),
        ("5", "unreadable"),
    ]
    assert newest_receipts(listing, BUCKET, 0) == []


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b'{"status": "delivered"}', b"[" * 100_000])
def test_what_is_no_receipt_is_shown_as_unreadable(deployment: Deployment, content: bytes) -> None:
    deployment.s3.put_object(Bucket=BUCKET, Key="receipts/foreign", Body=content)

    (found,) = json.loads(deployment.run("status", "--json").stdout)["receipts"]

    assert (found["key"], found["status"]) == ("receipts/foreign", "unreadable")


def test_the_history_of_an_audience_is_not_listed_among_receipts(deployment: Deployment) -> None:
    key = deployment.put_receipt("tiktok/Foodies/email_sha256/1.csv")
    deployment.s3.put_object(Bucket=BUCKET, Key=f"receipts/tiktok/Foodies/{STATUS_FILE}", Body=b"{}\n")

    receipts = json.loads(deployment.run("status", "--json", "--receipts", "1").stdout)["receipts"]

    assert [receipt["key"] for receipt in receipts] == [key]


def test_the_stack_is_named_by_option_or_environment(deployment: Deployment) -> None:
    deployment.stack_name = "Second"

    assert json.loads(deployment.run("status", "--json", "--stack", "Second").stdout)["stack"] == "Second"
    assert deployment.run("replay", TIKTOK_CONNECTOR_STACK="Second").exit_code == 0


def test_a_missing_stack_is_one_clear_line(deployment: Deployment) -> None:
    client: Any = boto3.client("cloudformation", region_name=REGION)
    stubber = Stubber(client)
    stubber.add_client_error("describe_stacks", "ValidationError", "Stack with id Nope does not exist", 400)
    stubber.activate()
    deployment.clients["cloudformation"] = client

    result = deployment.run("status", "--stack", "Nope")

    assert result.exit_code == 1
    assert result.output.startswith("Error: There is no stack 'Nope' in the region us-east-1. Deploy it")
    assert result.output.count("\n") == 1


def test_a_stack_with_an_output_missing_is_one_clear_line(deployment: Deployment) -> None:
    del deployment.outputs[Output.QUEUE_URL]

    result = deployment.run("replay")

    assert result.exit_code == 1
    assert result.output.startswith("Error: The stack 'TikTokAdsConnector' (CREATE_COMPLETE) has no output QueueUrl.")


def test_the_real_client_takes_its_region_and_address_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    result = CliRunner().invoke(main, ["status"])

    assert Aws().client("sqs").meta.region_name == "eu-central-1"
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert '"http://127.0.0.1:1/"' in result.output
    assert "AWS_ENDPOINT_URL" in result.output


def test_an_address_that_is_none_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nowhere")

    result = CliRunner().invoke(main, ["replay"])

    assert (result.exit_code, result.output) == (1, "Error: Invalid endpoint: nowhere. Correct AWS_ENDPOINT_URL.\n")


def test_the_command_runs_as_a_module() -> None:
    result = subprocess.run([sys.executable, "-m", "cli", "--help"], capture_output=True, text=True, check=True)

    assert result.stdout.startswith("Usage: python -m cli ")
