"""What is known of all audiences, in the ledger's table: the names of an advertiser's, and the settings of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambdas.aws.failures import aws_failures

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Of the table's items: what their keys begin with, before the advertiser's id, and the set of names.
NAMES_PREFIX = "names#"
_SETTINGS_PREFIX = "settings#"
NAMES_ATTRIBUTE = "names"


class DynamoRegistry:
    """Remembers in the function's memory what it has written, so that a name costs one request."""

    def __init__(self, client: DynamoDBClient, *, table: str) -> None:
        self._client = client
        self._table = table
        self._registered: set[tuple[str, str]] = set()

    def add(self, advertiser_id: str, name: str) -> None:
        """Register a name. Raises RetryableError or FatalError."""
        if (advertiser_id, name) in self._registered:
            return
        with aws_failures("registering an audience"):
            self._client.update_item(
                TableName=self._table,
                Key={"pk": {"S": NAMES_PREFIX + advertiser_id}},
                UpdateExpression="ADD #names :name",
                ExpressionAttributeNames={"#names": NAMES_ATTRIBUTE},
                ExpressionAttributeValues={":name": {"SS": [name]}},
            )
        self._registered.add((advertiser_id, name))

    def names(self, advertiser_id: str) -> list[str]:
        """All names of an advertiser, sorted. Raises RetryableError or FatalError."""
        with aws_failures("reading the names of the audiences"):
            answer = self._client.get_item(
                TableName=self._table, Key={"pk": {"S": NAMES_PREFIX + advertiser_id}}, ConsistentRead=True
            )
        return sorted(answer.get("Item", {}).get(NAMES_ATTRIBUTE, {}).get("SS", []))

    def keep_settings(self, name: str, content: bytes) -> None:
        """Remember settings as they were last read. Raises RetryableError or FatalError."""
        with aws_failures("remembering settings"):
            self._client.update_item(
                TableName=self._table,
                Key={"pk": {"S": _SETTINGS_PREFIX + name}},
                UpdateExpression="SET content = :content",
                ExpressionAttributeValues={":content": {"B": content}},
            )

    def kept_settings(self, name: str) -> bytes | None:
        """The settings that were last read, or None. Raises RetryableError or FatalError."""
        with aws_failures("recalling settings"):
            answer = self._client.get_item(
                TableName=self._table, Key={"pk": {"S": _SETTINGS_PREFIX + name}}, ConsistentRead=True
            )
        return bytes(answer["Item"]["content"]["B"]) if "Item" in answer else None
