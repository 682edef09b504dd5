"""The ledger: documents in DynamoDB, each held by at most one owner at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambdas.aws.failures import aws_failures, error_code
from lambdas.tiktok.errors import ConnectorError, NotReady

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

# Two machines need not agree on the time to the millisecond.
_MARGIN_SECONDS = 1.0
_CONDITION_FAILED = "ConditionalCheckFailedException"


class DynamoLedger:
    """Documents whose keys share a prefix; forgotten ``keep_days`` after their last change, or never.

    ``now`` gives seconds since the epoch.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        *,
        table: str,
        prefix: str,
        now: Callable[[], float],
        keep_days: int | None = None,
    ) -> None:
        self._client = client
        self._table = table
        self._prefix = prefix
        self._now = now
        self._keep_days = keep_days

    def claim(self, key: str, *, owner: str, seconds: float) -> dict[str, Any]:
        """Hold a document for ``seconds``; returns it ({} when new).

        Raises:
            NotReady: somebody else holds it; carries the wait until that ends at the latest.
        """
        now = self._now()
        try:
            with aws_failures("claiming an entry of the ledger"):
                item = self._update(
                    key,
                    "SET held_by = :owner, held_until = :until",
                    "attribute_not_exists(held_by) OR held_until < :now OR held_by = :owner",
                    {":owner": {"S": owner}, ":until": _number(now + seconds), ":now": _number(now)},
                )
        except _ConditionFailedError as failed:
            wait = failed.held_until - now + _MARGIN_SECONDS if failed.held_until else None
            raise NotReady("Another delivery is at work on the same thing.", wait_seconds=wait) from None
        return _document(item)

    def read(self, key: str) -> dict[str, Any]:
        """A document as it is now ({} when there is none), whoever holds it. Raises RetryableError or FatalError."""
        with aws_failures("reading the ledger"):
            answer = self._client.get_item(
                TableName=self._table, Key={"pk": {"S": self._prefix + key}}, ConsistentRead=True
            )
        return _document(answer.get("Item", {}))

    def save(self, key: str, document: Mapping[str, Any], *, owner: str) -> None:
        """Store a document that is held. Raises NotReady when it was taken over."""
        now = self._now()
        change = "SET document = :document, updated_at = :now"
        values: dict[str, AttributeValueTypeDef] = {
            ":owner": {"S": owner},
            ":document": {"S": json.dumps(document, ensure_ascii=False)},
            ":now": _number(now),
        }
        if self._keep_days is not None:
            change += ", expires_at = :expires"
            values[":expires"] = {"N": str(int(now) + self._keep_days * 86_400)}
        try:
            with aws_failures("writing to the ledger"):
                self._update(key, change, "held_by = :owner", values)
        except _ConditionFailedError:
            raise NotReady("Another delivery took over the same thing.", wait_seconds=0) from None

    def release(self, key: str, *, owner: str) -> None:
        """Hold it no longer. Never fails: a hold ends by itself, and what its holder did must not look undone."""
        with suppress(ConnectorError, _ConditionFailedError), aws_failures("releasing an entry of the ledger"):
            self._update(key, "REMOVE held_by, held_until", "held_by = :owner", {":owner": {"S": owner}})

    def _update(
        self, key: str, change: str, condition: str, values: Mapping[str, AttributeValueTypeDef]
    ) -> Mapping[str, AttributeValueTypeDef]:
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key={"pk": {"S": self._prefix + key}},
                UpdateExpression=change,
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error_code(error) != _CONDITION_FAILED:
                raise
            held_until = error.response.get("Item", {}).get("held_until", {}).get("N")  # type: ignore[attr-defined]
            raise _ConditionFailedError(float(held_until) if held_until else None) from None
        return answer["Attributes"]


class _ConditionFailedError(Exception):
    def __init__(self, held_until: float | None) -> None:
        super().__init__()
        self.held_until = held_until


def _document(item: Mapping[str, AttributeValueTypeDef]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(item["document"]["S"]) if "document" in item else {}
    return document


def _number(value: float) -> AttributeValueTypeDef:
    return {"N": f"{value:.3f}"}
