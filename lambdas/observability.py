"""Logger and metrics, made once and imported by handlers only. Names come from the function's environment."""

from __future__ import annotations

from aws_lambda_powertools import Logger, Metrics

from lambdas.contracts import METRIC_NAMESPACE

logger = Logger()
metrics = Metrics(namespace=METRIC_NAMESPACE)
