# mypy: disable-error-code="import-not-found"
"""Starts the embedded AWS (ministack), corrected where it differs from AWS.

This file runs in an environment of its own (``.local/venv-cloud``) and imports nothing of the project. It holds
every correction. Each one first makes sure that what it replaces is there and takes the arguments it is known to
take, so that an upgrade of ministack fails here, by name, and not somewhere in a test.

Settings, beside ministack's own:
    LAUNCHER_RUNTIME_PYTHON    the interpreter of the environment that holds awslambdaric and boto3
    LAUNCHER_FOLLOW_STDIN      "1": end when standard input closes, that is, when the process that started us ends
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import inspect
import json
import os
import platform
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from importlib.metadata import version
from typing import Any

import hypercorn.asyncio
from ministack import app as gateway
from ministack.core import iam_evaluator, lambda_runtime, responses
from ministack.services import eventbridge, kms, lambda_svc, s3, secretsmanager, sqs
from ministack.services.cloudformation import provisioners

PATCHES: list[Callable[[], None]] = []

# What a function's process gets of the server's own environment. The rest, the server's switches, is not AWS's.
INHERITED_BY_FUNCTIONS = ("PATH", "AWS_CA_BUNDLE", "SSL_CERT_FILE", "AWS_EC2_METADATA_DISABLED")

# Serves where awslambdaric has no compiled half.
STAND_IN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stand_in")

# Address space that the interpreter needs beside what the function allocates.
ADDRESS_SPACE_MARGIN_MB = 256


class PatchError(Exception):
    """ministack is not as a patch expects it."""


def patch(function: Callable[[], None]) -> Callable[[], None]:
    PATCHES.append(function)
    return function


def existing(owner: Any, name: str, *parameters: str) -> Any:
    """`owner.name`, which must exist, and begin with these parameters when it is a function."""
    where = f"{getattr(owner, '__name__', owner)}.{name}"
    found = getattr(owner, name, None)
    if found is None:
        raise PatchError(f"{where} does not exist")
    if parameters:
        actual = tuple(inspect.signature(found).parameters)
        if actual[: len(parameters)] != parameters:
            raise PatchError(f"{where} takes {actual}, expected {parameters}")
    return found


def apply_patches() -> None:
    for function in PATCHES:
        try:
            function()
        except PatchError as error:
            sys.exit(
                f"ministack {version('ministack')} does not fit the patch {function.__name__!r}: {error}.\n"
                "Pin the version that local/cloud/requirements.txt names, or adapt local/cloud/launcher.py."
            )


# Network ------------------------------------------------------------------------------------------------------


@patch
def only_the_given_port_is_opened() -> None:
    """With TLS, ministack also takes :443 when it can."""
    existing(gateway, "_port_is_bindable", "host", "port")
    gateway._port_is_bindable = lambda _host, _port: False


@patch
def termination_is_immediate() -> None:
    """ministack waits for open connections, and every SDK keeps some open. There is nothing here to save."""
    serve = existing(hypercorn.asyncio, "serve", "app", "config")
    if "shutdown_trigger" not in inspect.signature(serve).parameters:
        raise PatchError("hypercorn.asyncio.serve takes no shutdown_trigger")

    async def exit_on_signal() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, os._exit, 0)
        await asyncio.Event().wait()

    async def serve_until_signal(app: Any, config: Any) -> None:
        await serve(app, config, shutdown_trigger=exit_on_signal)

    hypercorn.asyncio.serve = serve_until_signal


# CloudFormation -----------------------------------------------------------------------------------------------


@patch
def ref_of_a_secret_is_its_arn() -> None:
    """ministack answers the name, which makes every policy that names the secret by Ref match nothing."""
    handlers = existing(provisioners, "_RESOURCE_HANDLERS").get("AWS::SecretsManager::Secret")
    if not handlers or not {"create", "update", "delete"} <= handlers.keys():
        raise PatchError("no handlers for AWS::SecretsManager::Secret")
    existing(provisioners, "_sm_secret_create", "logical_id", "props", "stack_name")
    existing(provisioners, "_sm_secret_update", "physical_id", "old_props", "new_props", "stack_name", "logical_id")
    existing(provisioners, "_sm_secret_delete", "physical_id", "props")
    secrets = existing(existing(provisioners, "_sm"), "_secrets")
    create, update, delete = handlers["create"], handlers["update"], handlers["delete"]

    def name_of(physical_id: str) -> str:
        return next((name for name, secret in secrets.items() if secret["ARN"] == physical_id), physical_id)

    def create_answering_arn(logical_id: str, props: Any, stack_name: str) -> tuple[str, Any]:
        _, attributes = create(logical_id, props, stack_name)
        return attributes["Arn"], attributes

    def update_answering_arn(
        physical_id: str, old: Any, new: Any, stack_name: str, logical_id: str | None = None
    ) -> tuple[str, Any]:
        _, attributes = update(name_of(physical_id), old, new, stack_name, logical_id)
        return attributes["Arn"], attributes

    handlers["create"] = create_answering_arn
    handlers["update"] = update_answering_arn
    handlers["delete"] = lambda physical_id, props: delete(name_of(physical_id), props)


# S3 and EventBridge -------------------------------------------------------------------------------------------


@patch
def s3_events_have_the_shape_of_aws() -> None:
    """As in AWS's documented "Object Created" event: a version id, seconds in `time`, no `event-version`."""
    fire = existing(s3, "_fire_s3_event", "bucket_name", "key", "event_name")
    dispatch = existing(eventbridge, "_dispatch_event", "event")
    signature = inspect.signature(fire)
    if "version_id" not in signature.parameters:
        raise PatchError("s3._fire_s3_event no longer knows the version id")
    version_id: ContextVar[str | None] = ContextVar("version_id", default=None)

    def fire_remembering_version(*args: Any, **kwargs: Any) -> None:
        token = version_id.set(signature.bind(*args, **kwargs).arguments.get("version_id"))
        try:
            fire(*args, **kwargs)
        finally:
            version_id.reset(token)

    def dispatch_in_shape(event: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        if event.get("Source") == "aws.s3" and isinstance(event.get("Detail"), str):
            event = {**event, "Time": re.sub(r"\.\d+", "", str(event["Time"]))}
            detail = json.loads(event["Detail"])
            detail.pop("event-version", None)
            detail["request-id"] = hashlib.sha256(detail["request-id"].encode()).hexdigest()[:16].upper()
            if version_id.get():
                detail["object"]["version-id"] = version_id.get()
            if event.get("DetailType") == "Object Deleted":
                detail["object"].pop("size", None)
                if not detail["object"].get("etag"):
                    detail["object"].pop("etag", None)
            event["Detail"] = json.dumps(detail)
        dispatch(event, *args, **kwargs)

    s3._fire_s3_event = fire_remembering_version
    eventbridge._dispatch_event = dispatch_in_shape


@patch
def a_range_of_a_version_is_read() -> None:
    """ministack answers the whole body when a version is named, which AWS does only without a Range."""
    get_object = existing(s3, "_get_object", "bucket_name", "key", "headers", "query_params")
    parse_range = existing(s3, "_parse_range", "range_header", "total")
    range_error = existing(s3, "_range_error_xml", "bucket_name", "key")
    xml_body = existing(s3, "_xml_body")

    def get_range(bucket_name: str, key: str, headers: Any, query_params: Any = None) -> Any:
        answer = get_object(bucket_name, key, headers, query_params)
        status, answered, body = answer
        asked = headers.get("range", "")
        if status != 200 or not asked or not (query_params or {}).get("versionId"):
            return answer
        size = len(body)
        found = parse_range(asked, size)
        if found is None:
            refused = {"Content-Type": "application/xml", "Content-Range": f"bytes */{size}"}
            return 416, refused, xml_body(range_error(bucket_name, key))
        start, end = found
        # A checksum of the whole object does not fit a part of it: AWS leaves it out.
        kept = {name: value for name, value in answered.items() if not name.lower().startswith("x-amz-checksum")}
        kept |= {"Content-Length": str(end - start + 1), "Content-Range": f"bytes {start}-{end}/{size}"}
        return 206, kept, body[start : end + 1]

    s3._get_object = get_range


# SQS and its event source mapping -----------------------------------------------------------------------------


@patch
def queues_lose_no_message_when_threads_meet() -> None:
    """ministack replaces a queue's list of messages in several threads, so that one that arrives meanwhile vanishes.

    The lock is held by the event source mapping only; here everything that touches the list holds it.
    """
    if not hasattr(existing(sqs, "_queues_lock"), "acquire"):
        raise PatchError("sqs._queues_lock is no lock")
    lock = threading.RLock()  # re-entrant: the functions call one another
    sqs._queues_lock = lock

    def locked(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with lock:
                return function(*args, **kwargs)

        return call

    # Receiving waits in the event loop, so the steps between its waits are locked, not the whole.
    for name in ("_expire_retained", "_dlq_sweep"):
        setattr(sqs, name, locked(existing(sqs, name, "q")))
    sqs._collect_msgs = locked(existing(sqs, "_collect_msgs", "q", "max_n", "vis_timeout"))
    handlers = existing(sqs, "_HANDLERS")
    for action in ("SendMessage", "SendMessageBatch", "DeleteMessage", "DeleteMessageBatch", "PurgeQueue"):
        if action not in handlers or inspect.iscoroutinefunction(handlers[action]):
            raise PatchError(f"sqs has no synchronous {action}")
        handlers[action] = locked(handlers[action])
    eventbridge._dispatch_to_sqs = locked(existing(eventbridge, "_dispatch_to_sqs", "spec", "payload"))


@patch
def an_unreadable_batch_answer_fails_the_whole_batch() -> None:
    """An answer that names no message of the batch deletes nothing on AWS; ministack takes it for success."""
    run_batch = existing(lambda_svc, "_run_sqs_batch", "esm", "func_rec", "event", "batch")
    execute = existing(lambda_svc, "_execute_function", "func", "event")
    expected_ids: ContextVar[set[str] | None] = ContextVar("expected_ids", default=None)

    def run_batch_strictly(esm: Any, func_rec: Any, event: Any, batch: Any, *args: Any) -> None:
        reports = "ReportBatchItemFailures" in esm.get("FunctionResponseTypes", [])
        token = expected_ids.set({message["id"] for message in batch} if reports else None)
        try:
            run_batch(esm, func_rec, event, batch, *args)
        finally:
            expected_ids.reset(token)

    def execute_judging_the_answer(func: Any, event: Any) -> Any:
        expected = expected_ids.get()
        expected_ids.set(None)  # only for the batch itself, not for what its function invokes
        result = execute(func, event)
        if expected is None or result.get("error"):
            return result
        fault = _fault_of_batch_answer(result.get("body"), expected)
        if fault:
            return {**result, "error": True, "body": {"errorType": "InvalidBatchResponse", "errorMessage": fault}}
        return result

    lambda_svc._run_sqs_batch = run_batch_strictly
    lambda_svc._execute_function = execute_judging_the_answer


def _fault_of_batch_answer(answer: Any, expected_ids: set[str]) -> str | None:
    """AWS's rules: nothing, or an empty or null list, is success; anything malformed is a complete failure."""
    if not answer:
        return None
    failures = answer.get("batchItemFailures") if isinstance(answer, dict) else None
    if not isinstance(answer, dict) or not isinstance(failures or [], list):
        return "the answer is not an object with a list batchItemFailures"
    for failure in failures or []:
        if not isinstance(failure, dict) or failure.get("itemIdentifier") not in expected_ids:
            return f"{failure!r} names no message of the batch"
    return None


@patch
def batches_are_gathered_as_long_as_the_mapping_says() -> None:
    """ministack hands out what it finds at once, and never more than 10 messages.

    AWS waits for a full batch until the window, which the first message opens, is over.
    """
    mappings = existing(lambda_svc, "_iter_all_esms")
    receive = existing(sqs, "_receive_messages_for_esm", "queue_url", "max_number")
    find = existing(sqs, "_get_q", "url")
    for name in ("_expire_retained", "_dlq_sweep", "_ensure_msg_fields"):
        existing(sqs, name)
    existing(sqs, "_collect_msgs", "q", "max_n", "vis_timeout")
    polled: ContextVar[dict[str, Any] | None] = ContextVar("polled", default=None)
    closing: dict[str, float] = {}  # when the window that is open is over, by the mapping

    def remembering_the_mapping() -> Iterator[tuple[str, str, dict[str, Any]]]:
        for account, region, mapping in mappings():
            polled.set(mapping)
            yield account, region, mapping

    def receive_gathered(queue_url: str, max_number: int) -> list[dict[str, Any]]:
        mapping = polled.get() or {}
        window = mapping.get("MaximumBatchingWindowInSeconds") or 0
        if not window:
            received: list[dict[str, Any]] = receive(queue_url, max_number)
            return received
        with sqs._queues_lock:
            queue, now = find(queue_url), time.time()
            sqs._expire_retained(queue)
            sqs._dlq_sweep(queue)
            for message in queue["messages"]:
                sqs._ensure_msg_fields(message)
            waiting = sum(message["visible_at"] <= now for message in queue["messages"])
            if not waiting:
                closing.pop(mapping["UUID"], None)
                return []
            if waiting < max_number and now < closing.setdefault(mapping["UUID"], now + window):
                return []
            closing.pop(mapping["UUID"], None)
            gathered: list[dict[str, Any]] = sqs._collect_msgs(
                queue, max_number, int(queue["attributes"].get("VisibilityTimeout", "30"))
            )
            return gathered

    lambda_svc._iter_all_esms = remembering_the_mapping
    sqs._receive_messages_for_esm = receive_gathered


# Permissions that AWS checks on the way ------------------------------------------------------------------------
#
# ministack checks what a caller asks for, not what the services then do for it: use a key, deliver an event, poll a
# queue. Templates that forget such a grant would work here and fail on AWS.

_caller_key: ContextVar[str] = ContextVar("caller_key", default="")  # who sent the request that is being served
_delivering_rule: ContextVar[str] = ContextVar("delivering_rule", default="")


@patch
def callers_are_remembered_while_their_request_is_served() -> None:
    enforce = existing(iam_evaluator, "enforce", "access_key_id", "iam_action", "service", "region", "resource_arn")

    def enforce_and_remember(access_key_id: str, *args: Any, **kwargs: Any) -> Any:
        _caller_key.set(access_key_id or "")
        return enforce(access_key_id, *args, **kwargs)

    iam_evaluator.enforce = enforce_and_remember


def _denial_for_caller(action: str, resource_arn: str) -> str | None:
    """Why the caller of the request that is being served may not do this as well."""
    if not _caller_key.get():
        return None
    service = action.partition(":")[0]
    denied = iam_evaluator.enforce(_caller_key.get(), action, service, responses.get_region(), resource_arn)
    if not denied:
        return None
    who = getattr(denied, "principal_arn", "")
    return f"User: {who} is not authorized to perform: {action} on resource: {resource_arn}"


def _customer_key(key_id: str | None) -> str | None:
    """The ARN of a key that the account made. AWS's own keys need no grant."""
    record = kms._resolve_key(key_id) if key_id else None
    return record["Arn"] if record and record.get("KeyManager", "CUSTOMER") == "CUSTOMER" else None


def _denial_of_key(key_id: str | None, *actions: str) -> str | None:
    key = _customer_key(key_id)
    if key is None:
        return None
    return next((denial for action in actions if (denial := _denial_for_caller(action, key))), None)


@patch
def encrypted_objects_need_their_key() -> None:
    existing(kms, "_resolve_key", "key_id_or_arn")
    error = existing(s3, "_error", "code", "message", "status")
    get_object = existing(s3, "_get_object", "bucket_name", "key", "headers", "query_params")
    encryption_of_write = existing(s3, "_resolve_sse_write_headers", "headers", "bucket_name")
    header = "x-amz-server-side-encryption-aws-kms-key-id"

    def get_with_key(bucket_name: str, key: str, headers: Any, query_params: Any = None) -> Any:
        answer = get_object(bucket_name, key, headers, query_params)
        found = answer[0] in (200, 206)
        denial = _denial_of_key(answer[1].get(header), "kms:Decrypt") if found else None
        return error("AccessDenied", denial, 403) if denial else answer

    def write_with_key(headers: Any, bucket_name: str) -> Any:
        answered, refused = encryption_of_write(headers, bucket_name)
        denial = None if refused else _denial_of_key(answered.get(header), "kms:GenerateDataKey")
        return (None, error("AccessDenied", denial, 403)) if denial else (answered, refused)

    s3._get_object = get_with_key
    s3._resolve_sse_write_headers = write_with_key


@patch
def who_may_not_list_a_bucket_does_not_learn_what_is_missing() -> None:
    """Without s3:ListBucket a missing key is answered with 403, not with 404."""
    error = existing(s3, "_error", "code", "message", "status")

    def hiding(read: Callable[..., Any]) -> Callable[..., Any]:
        def call(bucket_name: str, key: str, headers: Any = None, query_params: Any = None) -> Any:
            answer = read(bucket_name, key, headers, query_params)
            if answer[0] == 404 and not (query_params or {}).get("versionId") and b"NoSuchBucket" not in answer[2]:
                denial = _denial_for_caller("s3:ListBucket", f"arn:aws:s3:::{bucket_name}")
                return error("AccessDenied", denial, 403) if denial else answer
            return answer

        return call

    for name in ("_get_object", "_head_object"):
        setattr(s3, name, hiding(existing(s3, name, "bucket_name", "key", "headers", "query_params")))


@patch
def wildcards_of_policies_match_line_ends() -> None:
    """A key may hold any character; ministack's `*` stops at a line end."""
    compile_pattern = existing(iam_evaluator, "_fnmatch_compile", "pattern", "ignore_case")

    def compile_across_lines(pattern: str, ignore_case: bool) -> re.Pattern[str]:
        compiled = compile_pattern(pattern, ignore_case)
        return re.compile(compiled.pattern, compiled.flags | re.DOTALL)

    iam_evaluator._fnmatch_compile = compile_across_lines


@patch
def encrypted_secrets_need_their_key() -> None:
    get_value = existing(secretsmanager, "_get_secret_value", "data")
    resolve = existing(secretsmanager, "_resolve")

    def get_with_key(data: Any) -> Any:
        _, secret = resolve(data.get("SecretId"))
        denial = _denial_of_key((secret or {}).get("KmsKeyId"), "kms:Decrypt")
        message = f"Access to KMS is not allowed. {denial}"
        return responses.error_response_json("AccessDeniedException", message, 400) if denial else get_value(data)

    secretsmanager._get_secret_value = get_with_key


@patch
def encrypted_queues_need_their_key() -> None:
    check = existing(sqs, "_enforce_queue_policy", "q", "iam_action")
    error = existing(sqs, "_Err")
    needed = {"sqs:SendMessage": ("kms:GenerateDataKey", "kms:Decrypt"), "sqs:ReceiveMessage": ("kms:Decrypt",)}

    def check_with_key(queue: dict[str, Any], iam_action: str) -> None:
        check(queue, iam_action)
        denial = _denial_of_key(queue["attributes"].get("KmsMasterKeyId"), *needed.get(iam_action, ()))
        if denial:
            raise error("KMS.AccessDeniedException", denial, 400)

    sqs._enforce_queue_policy = check_with_key


@patch
def rules_deliver_only_where_queue_and_key_let_them() -> None:
    invoke = existing(eventbridge, "_invoke_target", "target", "event", "rule")
    deliver = existing(eventbridge, "_dispatch_to_sqs", "spec", "payload")
    existing(iam_evaluator, "evaluate_resource_policy", "doc", "ctx", "service")
    existing(iam_evaluator, "EvalContext", "principal_arn", "principal_type", "principal_account", "action")

    def invoke_remembering_rule(target: Any, event: Any, rule: dict[str, Any], *args: Any) -> None:
        token = _delivering_rule.set(rule["Arn"])
        try:
            invoke(target, event, rule, *args)
        finally:
            _delivering_rule.reset(token)

    def allows(policy: str, action: str, resource_arn: str) -> bool:
        account = responses.get_account_id()
        context = iam_evaluator.EvalContext(
            principal_arn="events.amazonaws.com",
            principal_type="Service",
            principal_account=account,
            action=action,
            resource_arn=resource_arn,
            region=responses.get_region(),
            secure_transport=True,
            service_context={"aws:sourcearn": _delivering_rule.get(), "aws:sourceaccount": account},
        )
        result = iam_evaluator.evaluate_resource_policy(policy, context, service="events.amazonaws.com")
        return bool(result.decision == "Allow")

    def deliver_if_allowed(spec: Any, payload: str, *args: Any) -> None:
        queue = sqs._queue_by_arn(str(spec))
        if queue:
            needed = [(queue["attributes"].get("Policy") or "", "sqs:SendMessage", str(spec))]
            key = _customer_key(queue["attributes"].get("KmsMasterKeyId"))
            if key:
                policy = kms._resolve_key(key).get("Policy") or ""
                needed += [(policy, action, key) for action in ("kms:GenerateDataKey", "kms:Decrypt")]
            for policy, action, resource in needed:
                if not allows(policy, action, resource):
                    # AWS counts a FailedInvocation, and the event is gone.
                    _say(f"{_delivering_rule.get()} delivers nothing: {resource} does not allow it {action}")
                    return
        deliver(spec, payload, *args)

    eventbridge._invoke_target = invoke_remembering_rule
    eventbridge._dispatch_to_sqs = deliver_if_allowed


@patch
def mappings_poll_only_what_the_functions_role_may_read() -> None:
    mappings = existing(lambda_svc, "_iter_all_esms")
    function_of = existing(lambda_svc, "_get_func_record_for_qualifier", "name", "qualifier")
    policies_of = existing(iam_evaluator, "_gather_role_policies", "role_name", "account_id")
    combine = existing(iam_evaluator, "combine_resource_policy", "identity", "ctx", "policy", "owner_account")
    account_of_thread = existing(lambda_svc, "_request_account_id")
    region_of_thread = existing(lambda_svc, "_request_region")
    told: set[str] = set()

    def role_may(role: str, account: str, region: str, action: str, resource: str) -> bool:
        service = action.partition(":")[0]
        context = iam_evaluator.EvalContext(
            principal_arn=f"arn:aws:sts::{account}:assumed-role/{role}/lambda",
            principal_type="AssumedRole",
            principal_account=account,
            action=action,
            resource_arn=resource,
            region=region,
            secure_transport=True,
        )
        result = iam_evaluator.evaluate(context, policies_of(role, account))
        policy = iam_evaluator._resource_policy(service, resource)
        if policy is not None:
            result = combine(result, context, *policy, required=service == "kms")
        return bool(result.decision == "Allow")

    def missing(mapping: dict[str, Any], account: str, region: str) -> str | None:
        queue_arn = mapping.get("EventSourceArn", "")
        _, config = function_of(mapping["FunctionName"], mapping.get("Qualifier"))
        queue = sqs._queue_by_arn(queue_arn) if ":sqs:" in queue_arn else None
        if not queue or not config:
            return None
        role = config.get("Role", "").rsplit("/", 1)[-1]
        needed = [(f"sqs:{verb}", queue_arn) for verb in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")]
        key = _customer_key(queue["attributes"].get("KmsMasterKeyId"))
        needed += [("kms:Decrypt", key)] if key else []
        return next((f"{a} on {r}" for a, r in needed if not role_may(role, account, region, a, r)), None)

    def allowed_mappings() -> Iterator[tuple[str, str, dict[str, Any]]]:
        for account, region, mapping in mappings():
            tokens = account_of_thread.set(account), region_of_thread.set(region)
            try:
                lacking = missing(mapping, account, region)
            finally:
                account_of_thread.reset(tokens[0])
                region_of_thread.reset(tokens[1])
            if lacking is None:
                yield account, region, mapping
            elif mapping["UUID"] not in told:
                told.add(mapping["UUID"])
                _say(f"{mapping['FunctionName']} gets no messages: its role is not allowed {lacking}")

    lambda_svc._iter_all_esms = allowed_mappings


def _say(text: str) -> None:
    print(f"launcher: {text}", file=sys.stderr, flush=True)


# Lambda -------------------------------------------------------------------------------------------------------


@patch
def python_functions_run_under_the_runtime_client_of_aws() -> None:
    """ministack's own worker answers one error type for everything and imports from the server's environment."""
    runtime_python = os.environ.get("LAUNCHER_RUNTIME_PYTHON")
    if not runtime_python:
        raise PatchError("LAUNCHER_RUNTIME_PYTHON is not set")
    provided = existing(lambda_svc, "_execute_function_provided_warm", "func", "event", "request_id")
    warm = existing(lambda_svc, "_execute_function_warm", "func", "event", "request_id")
    code_directory = existing(lambda_svc, "_provided_runtime_code_dir", "code_zip")
    worker_class = existing(lambda_runtime, "_worker_class_for", "config")
    provided_worker = existing(lambda_runtime, "ProvidedWorker")
    bootstrap = _bootstrap(runtime_python)

    def is_python(config: dict[str, Any]) -> bool:
        return str(config.get("Runtime", "")).startswith("python")

    def execute(func: dict[str, Any], event: Any, request_id: str) -> Any:
        run = provided if is_python(func.get("config") or func) else warm
        return run(func, event, request_id)

    def code_directory_with_bootstrap(code_zip: bytes) -> str:
        directory: str = code_directory(code_zip)
        path = os.path.join(directory, "bootstrap")
        if not os.path.exists(path):
            # Two cold starts may meet here: the file appears whole, or not at all.
            draft = f"{path}.{threading.get_ident()}"
            with open(draft, "w", encoding="utf-8") as file:
                file.write(bootstrap)
            os.chmod(draft, 0o700)
            os.replace(draft, path)
        return directory

    lambda_svc._execute_function_warm = execute
    lambda_svc._provided_runtime_code_dir = code_directory_with_bootstrap
    lambda_runtime._worker_class_for = lambda config: provided_worker if is_python(config) else worker_class(config)


def _bootstrap(runtime_python: str) -> str:
    """The program that ministack starts for a Python function: limits the memory, becomes the runtime client."""
    # MALLOC_ARENA_MAX: every thread would otherwise reserve 64 MB of the address space that is limited here.
    # Not every system can limit it (macOS refuses): then the function runs without a limit.
    return f"""#!/bin/sh
export MALLOC_ARENA_MAX=2
ulimit -v $(( (AWS_LAMBDA_FUNCTION_MEMORY_SIZE + {ADDRESS_SPACE_MARGIN_MB}) * 1024 )) 2>/dev/null
exec {_quoted(runtime_python)} -s -c {_quoted(_BECOME_RUNTIME_CLIENT)} {_quoted(STAND_IN)} "$_HANDLER"
"""


_BECOME_RUNTIME_CLIENT = """
import runpy, sys
sys.path.append(sys.argv.pop(1))
runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)
"""


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


@patch
def functions_see_the_environment_of_lambda() -> None:
    """ministack hands its own environment down and leaves out some of what Lambda sets."""
    build = existing(lambda_svc, "_provided_worker_env", "config", "code_dir", "port")

    def environment(config: dict[str, Any], code_dir: str, port: int) -> dict[str, str]:
        ours = {name for name in os.environ if name not in INHERITED_BY_FUNCTIONS}
        declared = (config.get("Environment") or {}).get("Variables") or {}
        built = build(config, code_dir, port)
        result = {
            name: value
            for name, value in built.items()
            if name not in ours or name in declared or value != os.environ[name] or name == "AWS_ENDPOINT_URL"
        }
        name = config.get("FunctionName", "")
        logging_config = config.get("LoggingConfig") or {}
        result |= {
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{config.get('Runtime', '')}",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": logging_config.get("LogGroup") or f"/aws/lambda/{name}",
            "AWS_LAMBDA_LOG_FORMAT": logging_config.get("LogFormat") or "Text",
            "LANG": "en_US.UTF-8",
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "TZ": ":UTC",
        }
        if logging_config.get("ApplicationLogLevel"):
            result["AWS_LAMBDA_LOG_LEVEL"] = logging_config["ApplicationLogLevel"]
        return result

    lambda_svc._provided_worker_env = environment


# Start --------------------------------------------------------------------------------------------------------


def follow_standard_input() -> None:
    """End with whoever started us, however it ends: its end of the pipe closes even when it is killed."""

    def wait_for_the_end() -> None:
        sys.stdin.buffer.read()
        # We lead a process group of our own, so this reaches the functions' processes and nobody else's.
        if os.getpgrp() == os.getpid():
            os.killpg(os.getpgrp(), signal.SIGKILL)
        os._exit(0)

    threading.Thread(target=wait_for_the_end, name="follow-stdin", daemon=True).start()


def main() -> None:
    sys.argv = sys.argv[:1]  # ministack reads the arguments; ours only tell this process from others
    apply_patches()
    if os.environ.pop("LAUNCHER_FOLLOW_STDIN", "") == "1":
        follow_standard_input()
    print(
        f"ministack {version('ministack')}, {len(PATCHES)} patches, Python {platform.python_version()}",
        file=sys.stderr,
        flush=True,
    )
    gateway.main()


if __name__ == "__main__":
    main()
