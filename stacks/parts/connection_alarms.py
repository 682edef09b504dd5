"""The alarms of the connection to TikTok, which every pipeline has."""

from __future__ import annotations

from aws_cdk import aws_sns
from constructs import Construct

from lambdas.contracts import Metric
from stacks.parts.connector_metric import connector_metric
from stacks.parts.runbook_alarm import RunbookAlarm


class ConnectionAlarms(Construct):
    """Nothing can be delivered until someone changes the credentials or the configuration."""

    def __init__(self, scope: Construct, construct_id: str, *, service: str, topic: aws_sns.ITopic) -> None:
        super().__init__(scope, construct_id)
        RunbookAlarm(
            self,
            "TokenRejected",
            metric=connector_metric(Metric.TOKEN_REJECTED, service=service),
            threshold=0,
            meaning="TikTok refuses the access token: it was revoked or has expired.",
            runbook_anchor="token-rejected",
            topic=topic,
        )
        RunbookAlarm(
            self,
            "Misconfigured",
            metric=connector_metric(Metric.MISCONFIGURED, service=service),
            threshold=0,
            meaning="The connector cannot work as configured: its secret, the token's scopes or its rights are wrong.",
            runbook_anchor="connector-misconfigured",
            topic=topic,
        )
