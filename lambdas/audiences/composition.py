"""What the functions of this pipeline have in common, beside what those of every pipeline have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lambdas.audiences.rows.reading import RowRules
from lambdas.composition import Surroundings
from lambdas.settings import RowSettings
from lambdas.tiktok.audiences import AudienceApi
from lambdas.tiktok.models import Credentials
from lambdas.tiktok.segments import SegmentApi

# What the keys of the ledger begin with that several functions use.
RANGES = "range#"


@dataclass(frozen=True)
class AdvertiserApi:
    """The calls that act for one advertiser."""

    audiences: AudienceApi
    segments: SegmentApi


def new_apis(around: Surroundings) -> Callable[[Credentials], AdvertiserApi]:
    """TikTok's calls for given credentials, in one invocation: together they keep its share of the rate."""
    clients_for = around.new_clients()

    def api_for(credentials: Credentials) -> AdvertiserApi:
        paced, free = clients_for(credentials)
        return AdvertiserApi(AudienceApi(paced), SegmentApi(free))

    return api_for


def row_rules(settings: RowSettings) -> RowRules:
    """How this deployment reads rows."""
    return RowRules(
        allow_raw_identifiers=settings.allow_raw_identifiers,
        email_rule=settings.email_rule,
        phone_rule=settings.phone_rule,
        default_country=settings.default_country,
    )
