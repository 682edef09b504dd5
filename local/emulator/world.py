"""Everything that the emulator remembers, behind one lock."""

import itertools
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from .answers import ApiError, Code, parameter_error
from .audiences import Audience
from .clock import Clock
from .credentials import AccessToken, Scope, TokenState
from .customer_files import CustomerFile
from .event_sources import EventSources
from .faults import Fault
from .rate_limits import Quota, RateLimiter
from .settings import Settings

REMEMBERED_REQUESTS = 100_000


@dataclass
class RecordedRequest:
    """One call to the API, and how it was answered: `code` is None when no coded answer was sent."""

    method: str
    path: str
    at: float
    code: int | None = None
    http_status: int | None = None
    fault: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The call in the words of the control plane."""
        return dict(vars(self))


class World:
    """The state of the emulator. Whoever reads or changes it holds `lock`."""

    def __init__(self, settings: Settings, access_token: str, advertiser_id: str) -> None:
        self.lock = threading.RLock()
        self.clock = Clock()
        self._initial = (settings, access_token, advertiser_id)
        # Ids grow from one run to the next too, so that no id ever means two things (API reference section 9.8).
        self._ids = itertools.count(7_000_000_000_000_000_000 + int(time.time() * 1_000_000))
        self.reset()

    def reset(self) -> None:
        """Back to the start, except that ids keep growing."""
        with self.lock:
            self.settings, access_token, advertiser_id = self._initial
            self.clock.reset()
            self.rate_limiter = RateLimiter()
            self.faults: list[Fault] = []
            self.requests: deque[RecordedRequest] = deque(maxlen=REMEMBERED_REQUESTS)
            self.advertisers: set[str] = {advertiser_id}
            self.tokens = {access_token: AccessToken(access_token, [advertiser_id], list(Scope))}
            self.audiences: dict[str, Audience] = {}
            self.files: dict[str, CustomerFile] = {}
            self.poison: frozenset[bytes] = frozenset()
            self.event_sources = EventSources(self.new_id)
            self.event_sources.add_defaults(advertiser_id, self.clock.now())
            self.poisoned_event_ids: frozenset[str] = frozenset()
            self.poisoned_events: frozenset[str] = frozenset()

    @property
    def default_advertiser_id(self) -> str:
        """The advertiser that exists from the start."""
        return self._initial[2]

    def record_request(self, method: str, path: str) -> RecordedRequest:
        """Note that a call has arrived."""
        with self.lock:
            recorded = RecordedRequest(method, path, self.clock.now())
            self.requests.append(recorded)
            return recorded

    def take_fault(self, path: str) -> Fault | None:
        """The first fault that this call has to suffer, used up by one."""
        with self.lock:
            fault = next((fault for fault in self.faults if fault.matches(path)), None)
            if fault is not None:
                fault.times -= 1
                self.faults = [kept for kept in self.faults if kept.times > 0]
            return fault

    def authenticate(self, value: str) -> AccessToken:
        """The token of a call (API reference section 9.1: missing, then unknown, then expired)."""
        if not value:
            raise ApiError(Code.TOKEN_MISSING, "Access token is empty.")
        token = self.tokens.get(value)
        if token is None or token.state is TokenState.REVOKED:
            raise ApiError(Code.TOKEN_INVALID, "Access token is incorrect or has been revoked.")
        if token.state is TokenState.EXPIRED:
            raise ApiError(Code.TOKEN_EXPIRED, "Access token has expired.")
        return token

    def admit(self, token: AccessToken, scope: Scope, quota: Quota = Quota.GENERAL) -> None:
        """Count the call against the limits of its app, then look at the scope."""
        self.rate_limiter.admit(token.app_id, self.clock.now(), self.settings, quota)
        if scope not in token.scopes:
            raise ApiError(
                Code.NO_PERMISSION, f"No permission: the access token lacks the scope {scope.title_at_tiktok}."
            )

    def check_advertiser(self, token: AccessToken, advertiser_id: str) -> None:
        """That the advertiser exists, and that the token may operate it."""
        if advertiser_id not in self.advertisers:
            raise parameter_error(f"The advertiser {advertiser_id} doesn't exist or has been deleted.")
        if advertiser_id not in token.advertiser_ids:
            raise ApiError(Code.NO_PERMISSION, f"No permission to operate advertiser: {advertiser_id}")

    def new_id(self) -> str:
        """19 digits, larger than any before."""
        return str(next(self._ids))

    def check_room(self, advertiser_id: str) -> None:
        """That the advertiser may have one more custom audience, of whatever type."""
        if len(self.audiences_of(advertiser_id)) >= self.settings.max_audiences:
            raise parameter_error(f"The advertiser already has {self.settings.max_audiences} custom audiences.")

    def audiences_of(self, advertiser_id: str) -> list[Audience]:
        """The advertiser's audiences, oldest first."""
        return [audience for audience in self.audiences.values() if audience.advertiser_id == advertiser_id]

    def own_audience(self, advertiser_id: str, audience_id: str) -> Audience:
        """An audience of this advertiser; the text was recorded (API reference section 1.5)."""
        audience = self.audiences.get(audience_id)
        if audience is None or audience.advertiser_id != advertiser_id:
            raise parameter_error("Parameter error: invalid audience ID")
        return audience

    def usable_files(self, advertiser_id: str, file_paths: list[str]) -> list[CustomerFile]:
        """The files behind the paths, if this advertiser can still use every one of them."""
        return [self._usable_file(advertiser_id, file_path) for file_path in file_paths]

    def _usable_file(self, advertiser_id: str, file_path: str) -> CustomerFile:
        file = self.files.get(file_path)
        if file is None:
            raise ApiError(Code.FILE_NOT_FOUND, f"The file {file_path} does not exist.")
        if file.advertiser_id != advertiser_id:
            code = self.settings.foreign_file_path_code
            raise ApiError(code, f"The file {file_path} does not exist for this advertiser.")
        if self.clock.now() - file.uploaded_at > self.settings.file_path_lifetime_seconds:
            raise ApiError(Code.FILE_EXPIRED, f"The file {file_path} has expired.")
        return file
