"""What the deployed connector announces on the event bus, as a subscriber hears it."""

from __future__ import annotations

import json
from typing import Any

from lambdas.contracts import ANNOUNCEMENT_SOURCE
from test.e2e.connector import Connector
from test.support.aws_resources import a_name, allow, policy
from test.support.waiting import wait_until


class Subscription:
    """A queue behind a rule for everything that the connector announces, as a user would make it."""

    def __init__(self, deployed: Connector) -> None:
        self._sqs, self._events = deployed.sqs, deployed.deployed.client("events")
        self._name = a_name("announcements")
        self._url = self._sqs.create_queue(QueueName=self._name)["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        for_rules = allow("sqs:SendMessage", arn, Principal={"Service": "events.amazonaws.com"})
        self._sqs.set_queue_attributes(QueueUrl=self._url, Attributes={"Policy": policy(for_rules)})
        self._events.put_rule(Name=self._name, EventPattern=json.dumps({"source": [ANNOUNCEMENT_SOURCE]}))
        self._events.put_targets(Rule=self._name, Targets=[{"Id": "queue", "Arn": arn}])
        self._taken: list[dict[str, Any]] = []

    def wait_for(self, kind: str, **told: Any) -> dict[str, Any]:
        """The detail of an announcement of this kind that says this."""

        def found() -> dict[str, Any] | None:
            answer = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10)
            for message in answer.get("Messages", []):
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
                self._taken.append(json.loads(message["Body"]))
            for event in self._taken:
                if event["detail-type"] == kind and told.items() <= event["detail"].items():
                    detail: dict[str, Any] = event["detail"]
                    return detail
            return None

        return wait_until(found, timeout=60, what=f"{kind} with {told}")

    def end(self) -> None:
        self._events.remove_targets(Rule=self._name, Ids=["queue"])
        self._events.delete_rule(Name=self._name)
        self._sqs.delete_queue(QueueUrl=self._url)
