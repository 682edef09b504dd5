"""Synthesizes the connector: the context's answers, the functions' code, one stack."""

from __future__ import annotations

import sys

from aws_cdk import App

from stacks.connector_stack import ConnectorStack
from stacks.parts.lambda_asset import LambdaAssetError, build_lambda_asset
from stacks.settings import Settings, SettingsError


def main() -> int:
    app = App()
    try:
        settings = Settings.from_context(app.node.get_all_context())
        lambda_asset = build_lambda_asset()
    except (SettingsError, LambdaAssetError) as error:
        print(error, file=sys.stderr)
        return 1
    # No environment: the same template is right for every account and region, and for the laptop.
    ConnectorStack(app, settings.stack_name, settings=settings, lambda_asset=lambda_asset)
    app.synth()
    return 0


if __name__ == "__main__":
    sys.exit(main())
