"""The metrics that the functions write."""

from __future__ import annotations

from aws_cdk import Duration, aws_cloudwatch

from lambdas.contracts import METRIC_NAMESPACE, Metric


def connector_metric(metric: Metric, *, service: str) -> aws_cloudwatch.Metric:
    """The sum of `metric` over the functions with the name `service`, in periods of five minutes."""
    return aws_cloudwatch.Metric(
        namespace=METRIC_NAMESPACE,
        metric_name=metric.value,
        # It begins with the stack's name, which keeps two installations in one account apart.
        dimensions_map={"service": service},
        statistic=aws_cloudwatch.Stats.SUM,
        period=Duration.minutes(5),
    )
