"""What boto3 makes of Invoke, as one JSON object."""

import base64
import json

import boto3
from botocore.config import Config

client = boto3.client("lambda", config=Config(retries={"total_max_attempts": 1}))
arn = "arn:aws:lambda:eu-central-1:123456789012:function:voxkv"


def invoke(**options):
    return client.invoke(**{"FunctionName": "voxkv"} | options)


def error(**options):
    try:
        invoke(**options)
    except client.exceptions.ClientError as e:
        return f"{type(e).__name__} {e.response['ResponseMetadata']['HTTPStatusCode']}"
    return "none"


def text(answer):
    return answer["Payload"].read().decode()


tail = invoke(Payload='{"key":"order:missing"}', LogType="Tail")
log = base64.b64decode(tail["LogResult"]).decode()
event = invoke(Payload='{"key":"order:missing"}', InvocationType="Event", LogType="Tail")
dry = invoke(InvocationType="DryRun")
failed = invoke(Payload='{"key":"a b"}')

print(json.dumps({
    "sync": f"{tail['StatusCode']} {tail['ExecutedVersion']} {text(tail)}",
    "log": tail["ResponseMetadata"]["RequestId"] in log and '"route":"direct"' in log,
    "event": f"{event['StatusCode']} {event.get('LogResult', '')}{text(event)}",
    "dry": f"{dry['StatusCode']} {text(dry)}",
    "alias": text(invoke(FunctionName=arn, Qualifier="live", Payload='{"key":"order:missing"}')),
    "failed": f"{failed['StatusCode']} {failed['FunctionError']} {json.loads(text(failed))['errorType']}",
    "nothing": json.loads(text(invoke()))["errorType"],
    "absent": error(FunctionName=arn + ":green"),
    "large": error(Payload='"' + "x" * (7 << 20) + '"'),
    "largeEvent": error(Payload='"' + "x" * (1 << 20) + '"', InvocationType="Event"),
    "garbage": error(Payload="key"),
    "mismatch": error(FunctionName=arn + ":live", Qualifier="green"),
}))
