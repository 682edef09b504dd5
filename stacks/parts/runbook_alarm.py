"""An alarm that says what it means and where the way out is written down."""

from __future__ import annotations

from aws_cdk import aws_cloudwatch, aws_cloudwatch_actions, aws_sns
from constructs import Construct

RUNBOOK = "docs/runbook.md"


class RunbookAlarm(aws_cloudwatch.Alarm):
    """Rings when `metric` exceeds `threshold`, and again when it is over. No data means that nothing happened."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        metric: aws_cloudwatch.IMetric,
        threshold: float,
        meaning: str,
        runbook_anchor: str,
        topic: aws_sns.ITopic,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            metric=metric,
            threshold=threshold,
            evaluation_periods=1,
            comparison_operator=aws_cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            treat_missing_data=aws_cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description=f"{meaning} What to do: {RUNBOOK}#{runbook_anchor}",
        )
        self.add_alarm_action(aws_cloudwatch_actions.SnsAction(topic))
        self.add_ok_action(aws_cloudwatch_actions.SnsAction(topic))
