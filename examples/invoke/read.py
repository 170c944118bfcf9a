"""Reads items by invoking voxkv, from another Lambda function or from anywhere with AWS credentials.

    VOXKV_FUNCTION=voxkv python3 read.py order:1001              # one key: the item, or null
    VOXKV_FUNCTION=voxkv python3 read.py order:1001 order:1002   # up to 50: each is answered for itself

Lambda's Python runtimes bring boto3 along. The caller needs lambda:InvokeFunction on the function, and nothing else.
"""

import json
import os
import sys

import boto3

client = boto3.client("lambda")  # once, outside of the handler: it keeps its connection


class ReadError(Exception):
    """A read that failed. Its type is one of voxkv's own, or of Lambda, such as Sandbox.Timedout."""

    def __init__(self, type, message):
        super().__init__(f"{type}: {message}")
        self.type = type
        # These pass. The others stay until somebody corrects a key (InvalidRequest) or looks after voxkv.
        self.temporary = type in ("UpstreamBusy", "UpstreamUnavailable", "UpstreamTimeout")


def get_item(key):
    """Returns {"key", "value", "expires_at", "max_age"}, or None where there is no such item.

    Keep it for max_age seconds at most; do not keep it if that is 0.
    """
    return invoke({"key": key})


def get_items(keys):
    """Returns the items by key, None where there is none, and a ReadError for each key that could not be read."""
    answer = invoke({"keys": keys})
    errors = {key: ReadError(e["errorType"], e["errorMessage"]) for key, e in answer["errors"].items()}
    return answer["items"], errors


def invoke(payload):
    answer = client.invoke(FunctionName=os.environ["VOXKV_FUNCTION"], Payload=json.dumps(payload))
    body = json.load(answer["Payload"])
    if "FunctionError" in answer:  # to boto3 the call has succeeded: it neither raises nor retries
        raise ReadError(body.get("errorType", "Unknown"), body.get("errorMessage", ""))
    return body


def main(keys):
    if len(keys) == 1:
        print(json.dumps(get_item(keys[0])))
        return
    items, errors = get_items(keys)
    for key in keys:
        print(key, errors[key].type if key in errors else json.dumps(items[key]))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ReadError as error:
        print(error, file=sys.stderr)
        sys.exit(75 if error.temporary else 1)  # 75 says: try again later
