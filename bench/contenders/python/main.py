"""The official Python client in a minimal loop of Lambda's Runtime API.

Its credentials lie in a file beside it, which spares it Secrets Manager.
"""

import http.client
import json
import os

import jwt
from voximplant.apiclient import VoximplantAPI

ROOT = "/2018-06-01/runtime/invocation/"
APPLICATION_ID = int(os.environ["VOXIMPLANT_APPLICATION_ID"])

signatures = 0  # for the benchmark
encode = jwt.encode


def counted(*args, **kwargs):
    global signatures
    signatures += 1
    return encode(*args, **kwargs)


jwt.encode = counted


def answer(client, event):
    key = event["rawPath"].removeprefix("/v1/items/")
    item = client.get_key_value_item(key=key, application_id=APPLICATION_ID)["result"]
    return {
        "statusCode": 200,
        "headers": {
            "Content-Type": "application/json",
            "Cache-Control": "public, max-age=60",
            "X-Signatures": str(signatures),
        },
        "body": json.dumps({"key": item["key"], "value": item["value"], "expires_at": item["expires_at"]}),
    }


def send(runtime, method, path, body=None):
    headers = {"Content-Type": "application/json"} if body else {}
    runtime.request(method, ROOT + path, json.dumps(body) if body else None, headers)
    response = runtime.getresponse()
    return response.headers, response.read()


def run():
    client = VoximplantAPI(endpoint=os.environ["VOXIMPLANT_HOST"])
    runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    while True:
        headers, event = send(runtime, "GET", "next")
        id = headers["Lambda-Runtime-Aws-Request-Id"]
        try:
            send(runtime, "POST", id + "/response", answer(client, json.loads(event)))
        except Exception as error:
            send(runtime, "POST", id + "/error", {"errorType": type(error).__name__, "errorMessage": str(error)})


run()
