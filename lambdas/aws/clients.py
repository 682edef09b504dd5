"""Clients of AWS's services."""

from __future__ import annotations

from typing import Any

import boto3


def new_client(service: Any) -> Any:
    """A client for a service, configured by the function's environment."""
    return boto3.client(service)
