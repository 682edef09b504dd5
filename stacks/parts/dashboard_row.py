"""Rows of the dashboard, so that all pipelines look alike on it."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import aws_cloudwatch

_FULL_WIDTH = 24


@dataclass(frozen=True, slots=True)
class Graph:
    """What one graph of a row shows."""

    title: str
    metrics: tuple[aws_cloudwatch.IMetric, ...]


def heading(markdown: str) -> list[aws_cloudwatch.IWidget]:
    """A row of text over the full width."""
    return [aws_cloudwatch.TextWidget(markdown=markdown, width=_FULL_WIDTH, height=2)]


def row(*graphs: Graph) -> list[aws_cloudwatch.IWidget]:
    """A row of graphs that share the width."""
    return [
        aws_cloudwatch.GraphWidget(
            title=graph.title,
            left=list(graph.metrics),
            width=_FULL_WIDTH // len(graphs),
            # A curve of small counts would otherwise look like a crisis.
            left_y_axis=aws_cloudwatch.YAxisProps(min=0),
        )
        for graph in graphs
    ]
