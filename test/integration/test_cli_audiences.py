"""``audiences`` against a bucket, and a ledger that the function's own registry has written."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from lambdas.audiences.domain import parse_key
from lambdas.aws.registry import DynamoRegistry
from lambdas.contracts import CALCULATE_TYPES, STACK_NAME
from test.integration.test_cli_commands import BUCKET, LEDGER, Deployment
from test.integration.test_cli_dead_letters import Overruling, aws_client, denied


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    for name in ("AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "AWS_PROFILE", "TIKTOK_CONNECTOR_STACK"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        deployment = Deployment()
        dynamodb: Any = aws_client("dynamodb")
        dynamodb.create_table(
            TableName=LEDGER,
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        deployment.clients["dynamodb"] = dynamodb
        yield deployment


def register(deployment: Deployment, *names: tuple[str, str]) -> None:
    registry = DynamoRegistry(deployment.clients["dynamodb"], table=LEDGER)
    for advertiser_id, name in names:
        registry.add(advertiser_id, name)


def keys(deployment: Deployment) -> list[str]:
    return [entry["Key"] for entry in deployment.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


@pytest.mark.parametrize("name", ["Foodies", "Käufer & Söhne [red]", "ü" * 70, "-x", "a.b #1?%20+"])
def test_delete_uploads_an_empty_object_that_asks_for_it(deployment: Deployment, name: str) -> None:
    result = deployment.run("audiences", "delete", "--yes", "--", name)

    assert result.exit_code == 0
    (key,) = keys(deployment)
    target = parse_key(key, CALCULATE_TYPES)
    assert (target.audience, target.deletes_audience) == (name, True)
    assert re.search(r"/delete_audience/\d{8}T\d{6}\.\d{6}Z\.txt$", key)
    assert deployment.s3.head_object(Bucket=BUCKET, Key=key)["ContentLength"] == 0
    assert key in result.output
    assert "'status'" in result.output


def test_delete_asks_first(deployment: Deployment) -> None:
    result = deployment.run("audiences", "delete", "Foodies", stdin="y\n")

    assert result.exit_code == 0
    assert "Delete the audience Foodies at TikTok for good, with everybody in it?" in result.output
    assert len(keys(deployment)) == 1


@pytest.mark.parametrize("answer", ["n\n", "\n", ""], ids=["no", "nothing", "end of input"])
def test_refusing_the_question_deletes_nothing(deployment: Deployment, answer: str) -> None:
    result = deployment.run("audiences", "delete", "Foodies", stdin=answer)

    assert result.exit_code == 1
    assert keys(deployment) == []


def test_deleting_twice_asks_twice(deployment: Deployment) -> None:
    for _ in range(2):
        deployment.run("audiences", "delete", "Foodies", "--yes")

    assert len(keys(deployment)) == 2


def test_a_denied_upload_is_one_clear_line(deployment: Deployment) -> None:
    deployment.clients["s3"] = Overruling(deployment.s3, put_object=denied)

    result = deployment.run("audiences", "delete", "Foodies", "--yes")

    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert "AWS denies" in result.output


def test_list_shows_every_name_by_advertiser(deployment: Deployment) -> None:
    register(deployment, ("7200", "Loyal"), ("7100", "[red]Käufer"), ("7100", "A, B; C"))

    result = deployment.run("audiences", "list")

    assert result.exit_code == 0
    lines = [line.strip().split(maxsplit=1) for line in result.stdout.splitlines()]
    assert lines[0] == ["3", "audiences"]
    assert lines[-4:] == [["7100", "A, B; C"], ["7100", "[red]Käufer"], ["7200", "Loyal"], []]


def test_list_gives_machines_the_same_and_nothing_else_of_the_ledger(deployment: Deployment) -> None:
    for number in range(300):
        deployment.clients["dynamodb"].put_item(
            TableName=LEDGER, Item={"pk": {"S": f"audience#{number}"}, "document": {"S": "x" * 10_000}}
        )
    register(deployment, ("7200", "Loyal"), ("7100", "Foodies"))

    shown = json.loads(deployment.run("audiences", "list", "--json").stdout)

    assert shown == {
        "stack": STACK_NAME,
        "audiences": [
            {"advertiser_id": "7100", "name": "Foodies"},
            {"advertiser_id": "7200", "name": "Loyal"},
        ],
    }


def test_list_before_the_first_audience_says_so(deployment: Deployment) -> None:
    result = deployment.run("audiences", "list")
    assert (result.exit_code, result.output) == (0, "The connector has not written to any audience yet.\n")

    assert json.loads(deployment.run("audiences", "list", "--json").stdout)["audiences"] == []
