"""What the functions of this pipeline have in common, beside what those of every pipeline have."""

from __future__ import annotations

from dataclasses import dataclass

from lambdas.composition import Surroundings
from lambdas.events.preparation import Deployment, Preparation
from lambdas.settings import EventSettings
from lambdas.tiktok.event_sources import EventSourceApi
from lambdas.tiktok.events import EventApi
from lambdas.tiktok.models import Credentials, EventSource


@dataclass(frozen=True)
class AdvertiserApi:
    """The calls that act for one advertiser."""

    events: EventApi
    sources: EventSourceApi


def new_preparation(around: Surroundings, settings: EventSettings) -> Preparation:
    """A preparation for one invocation. Only looking up event sources keeps the rate that all functions share."""
    clients_for = around.new_clients()

    def api_for(credentials: Credentials) -> AdvertiserApi:
        paced, free = clients_for(credentials)
        return AdvertiserApi(EventApi(free), EventSourceApi(paced))

    return Preparation(
        Deployment(
            max_age_days={EventSource(source): days for source, days in settings.max_event_age_days.items()},
            default_country=settings.default_country,
            limited_data_use=settings.limited_data_use,
            partner_name=settings.partner_name,
            may_create_sources=settings.create_missing_event_sources,
            thread_count=settings.thread_count,
        ),
        objects=around.objects,
        kept_settings=around.registry,
        suppressions=around.suppressions,
        credentials=around.credentials,
        sources=around.ledger("source#", is_kept=True),
        api_for=api_for,
        count=around.observer.count,
        clock=around.clock,
    )
