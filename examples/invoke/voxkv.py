"""Reads and writes items by invoking voxkv, from another Lambda function or from anywhere with AWS credentials.

    voxkv = Voxkv()  # once, outside of the handler: it keeps its connections
    item = voxkv.get("order:1001")

VOXKV_FUNCTION is the name or the ARN of the function; name the alias, as in voxkv:live. The caller needs
lambda:InvokeFunction on it, and nothing else. Lambda's Python runtimes bring boto3 along.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict, TypeGuard

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError


class Item(TypedDict):
    key: str
    value: str
    expires_at: int | None  # Unix seconds


class ReadItem(Item):
    """An item that was read. Keep it for max_age seconds at most; do not keep it if that is 0."""

    max_age: int


class Page(TypedDict):
    items: list[Item]
    next_offset: int | None  # asks for the next page; None after the last one


class VoxkvError(Exception):
    """What voxkv could not do. What Lambda could not do, such as TooManyRequestsException, is an exception of botocore.

    The types InvalidRequest, UpstreamBusy, UpstreamUnavailable, UpstreamTimeout, UpstreamFailure and InternalError are
    voxkv's own; Lambda has others, such as Sandbox.Timedout. UnexpectedAnswer: what was invoked is not voxkv, or a version
    that this file does not know.
    """

    def __init__(self, type: str, message: str) -> None:
        super().__init__(f"{type}: {message}")
        self.type = type

    @property
    def temporary(self) -> bool:
        """Whether it passes. What does not stays until somebody corrects a key (InvalidRequest) or looks after voxkv."""
        return self.type in ("UpstreamBusy", "UpstreamUnavailable", "UpstreamTimeout")


def _client(attempts: int) -> Any:
    # The function ends after 10 s, and a cold start may take 3 s before. A caller that gives up earlier leaves an
    # invocation behind that still runs: its write may come after a newer one of the same caller. boto3's own setting is
    # 60 s to connect and 60 s to read, up to five times.
    retries = {"mode": "standard", "total_max_attempts": attempts}
    return boto3.client("lambda", config=Config(connect_timeout=2, read_timeout=15, retries=retries))


class Voxkv:
    def __init__(self, function: str | None = None) -> None:
        function = function or os.environ.get("VOXKV_FUNCTION")
        if not function:
            raise ValueError("VOXKV_FUNCTION is not set; accepted: the name or the ARN of the voxkv function, such as voxkv:live")
        self._function = function
        self._claims: Mapping[str, object] | None = None
        # Reading twice does no harm. boto3 repeats what Lambda turned away and what got no answer, and no function errors:
        # to it those have succeeded.
        self._reads = _client(attempts=3)
        # A write is sent once. One that got no answer may have been done, and somebody may have written since: a repetition
        # would bring the old value back, or delete the new one. Repeat it where only you write the key.
        self._writes = _client(attempts=1)

    def with_claims(self, claims: Mapping[str, object]) -> Voxkv:
        """Returns a caller for one user: rules such as order:{sub}:* then hold as they do for the user's token.

        Without it they hold for no one in particular, and allow the keys of all users. So None is refused here.
        """
        if not isinstance(claims, Mapping):
            raise TypeError('claims must be a mapping, such as {"sub": "42"}')
        user = Voxkv.__new__(Voxkv)
        user.__dict__.update(self.__dict__, _claims=dict(claims))
        return user

    def get(self, key: str) -> ReadItem | None:
        """Returns None where there is no item: it is missing, has expired, or is not ours to read."""
        answer = self._invoke(self._reads, {"key": key})
        if answer is None or _is_read(answer, key):
            return answer
        raise _unexpected("get")

    def get_many(self, keys: Iterable[str]) -> dict[str, ReadItem | None | VoxkvError]:
        """Returns for each of up to 50 keys the item, None, or why it could not be read."""
        keys = list(keys)
        answer = self._invoke(self._reads, {"keys": keys})
        try:
            return {key: self._one(key, answer["items"], answer["errors"]) for key in keys}
        except (TypeError, KeyError):
            raise _unexpected("get_many") from None

    @staticmethod
    def _one(key: str, items: dict[str, Any], errors: dict[str, Any]) -> ReadItem | None | VoxkvError:
        if key in errors:
            return _failure(errors[key])
        item = items[key]
        if item is None or _is_read(item, key):
            return item
        raise _unexpected("get_many")

    def list(self, prefix: str, offset: int = 0, count: int = 10) -> Page:
        """Returns the items whose keys begin with prefix, up to 50."""
        answer = self._invoke(self._reads, {"operation": "list", "prefix": prefix, "offset": offset, "count": count})
        if not _is_page(answer):
            raise _unexpected("list")
        return answer

    def set(self, key: str, value: str, *, ttl: int | None = None, expires_at: int | None = None) -> Item:
        """Stores an item for ttl seconds, or until expires_at in Unix seconds, up to 90 days; returns it."""
        request: dict[str, object] = {"operation": "set", "key": key, "value": value}
        request |= {name: life for name, life in (("ttl", ttl), ("expires_at", expires_at)) if life is not None}
        answer = self._invoke(self._writes, request)
        if not _is_item(answer) or answer["key"] != key:
            raise _unexpected("set")
        return answer

    def delete(self, key: str) -> None:
        """Deletes the item, if there is one."""
        if self._invoke(self._writes, {"operation": "delete", "key": key}) is not None:
            raise _unexpected("delete")

    def _invoke(self, client: Any, request: dict[str, object]) -> Any:
        if self._claims is not None:
            request = request | {"claims": self._claims}
        answer = client.invoke(FunctionName=self._function, Payload=json.dumps(request))
        try:
            body = json.load(answer["Payload"])
        except ValueError:
            raise _unexpected("the invocation") from None
        if "FunctionError" in answer:  # a 200 to boto3, which neither raises nor repeats it
            raise _failure(body)
        return body


def _failure(body: Any) -> VoxkvError:
    fields = body if isinstance(body, dict) else {}
    return VoxkvError(str(fields.get("errorType", "Unknown")), str(fields.get("errorMessage", "")))


def _unexpected(what: str) -> VoxkvError:
    return VoxkvError("UnexpectedAnswer", f"{what} was not answered as voxkv does; is VOXKV_FUNCTION the voxkv function?")


def _is_item(value: Any) -> TypeGuard[Item]:
    return (
        isinstance(value, dict)
        and isinstance(value.get("key"), str)
        and isinstance(value.get("value"), str)
        and isinstance(value.get("expires_at", ""), (int, type(None)))
    )


def _is_read(value: Any, key: str) -> TypeGuard[ReadItem]:
    return _is_item(value) and value["key"] == key and isinstance(value.get("max_age"), int)


def _is_page(value: Any) -> TypeGuard[Page]:
    return (
        isinstance(value, dict)
        and isinstance(value.get("items"), list)
        and all(_is_item(item) for item in value["items"])
        and isinstance(value.get("next_offset", ""), (int, type(None)))
    )


# What follows is a command to try it with; leave it out of your copy.
#
#   VOXKV_FUNCTION=voxkv python3 voxkv.py get order:1001


def _main(command: str, *args: str) -> object:
    voxkv = Voxkv()
    if claims := os.environ.get("VOXKV_CLAIMS"):
        voxkv = voxkv.with_claims(json.loads(claims))
    match (command, *args):
        case ("get", key):
            return voxkv.get(key)
        case ("many", *keys):
            answers = voxkv.get_many(keys)
            return {key: answer.type if isinstance(answer, VoxkvError) else answer for key, answer in answers.items()}
        case ("list", prefix):
            return voxkv.list(prefix)
        case ("set", key, value, seconds):
            return voxkv.set(key, value, ttl=int(seconds))
        case ("delete", key):
            voxkv.delete(key)
            return None
    raise ValueError("accepted: get KEY, many KEY…, list PREFIX, set KEY VALUE SECONDS, delete KEY")


if __name__ == "__main__":
    try:
        print(json.dumps(_main(*(sys.argv[1:] or [""]))))
    except VoxkvError as error:
        print(error, file=sys.stderr)
        sys.exit(75 if error.temporary else 1)  # 75 says: try again later
    except (ValueError, TypeError, BotoCoreError, ClientError) as error:
        sys.exit(str(error))
