"""The metrics that the functions write."""

from __future__ import annotations

from aws_cdk import Duration, Stack, aws_cloudwatch
from constructs import Construct

from lambdas.contracts import METRIC_NAMESPACE, Metric


def connector_metric(scope: Construct, metric: Metric) -> aws_cloudwatch.Metric:
    """The sum of `metric` over this installation, in periods of five minutes."""
    return aws_cloudwatch.Metric(
        namespace=METRIC_NAMESPACE,
        metric_name=metric.value,
        # The stack's name keeps two installations in one account apart.
        dimensions_map={"service": Stack.of(scope).stack_name},
        statistic=aws_cloudwatch.Stats.SUM,
        period=Duration.minutes(5),
    )
