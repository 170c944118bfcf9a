"""Prints as JSON, for each type of resource that the templates named on the
command line make, the IAM actions that CloudFormation says it needs to create,
read, change and delete one: its own schemas, as cfn-lint brings them."""

import json
import pathlib
import sys

import cfnlint
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class ManagedPolicies:
    def load(self):
        return {}


def types(name):
    with open(name) as f:
        template = yaml_parse(f.read())
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/key"  # as sam package leaves it
    return {r["Type"] for r in transform(template, {}, ManagedPolicies())["Resources"].values()}


schemas = {}
for path in pathlib.Path(cfnlint.__file__).parent.glob("data/schemas/resources/*.json"):
    schema = json.loads(path.read_text())
    if "typeName" in schema and "handlers" in schema:
        schemas.setdefault(schema["typeName"], schema["handlers"])
needed = {}
for type in set().union(*(types(name) for name in sys.argv[1:])):
    handlers = [schemas[type].get(name, {}) for name in ("create", "read", "update", "delete")]
    needed[type] = sorted({action for handler in handlers for action in handler.get("permissions", [])})
json.dump(needed, sys.stdout)
