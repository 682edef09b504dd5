"""The synthesized stack, made once: importing the CDK and synthesizing are what takes time here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stacks.parts.lambda_asset import build_lambda_asset
from stacks.settings import Settings
from test.infrastructure.synthesis import Template, synthesize


@pytest.fixture(scope="session")
def lambda_asset() -> Path:
    """The folder that is deployed, from this checkout's ``lambdas/``."""
    return build_lambda_asset()


@pytest.fixture(scope="session")
def template(lambda_asset: Path, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """What a bare `cdk deploy` installs, with the CDK's own validation switched on."""
    return synthesize(Settings(), lambda_asset, tmp_path_factory.mktemp("cdk.out"), validate=True)


@pytest.fixture
def template_with(tmp_path: Path) -> Callable[..., Template]:
    """The template for other settings: `template_with(max_concurrency=7)`. Its functions hold no code."""

    def synthesize_with(**settings: object) -> Template:
        no_code = tmp_path / "no-code"
        no_code.mkdir()
        return synthesize(Settings(**settings), no_code, tmp_path / "cdk.out")  # type: ignore[arg-type]

    return synthesize_with
