"""Prints a SAM template as JSON: as it is, or given parameters as a JSON
object, as the CloudFormation template that AWS would make of it."""

import json
import sys

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class ManagedPolicies:
    def load(self):
        return {}


with open(sys.argv[1]) as f:
    template = yaml_parse(f.read())
if len(sys.argv) > 2:
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/key"  # as sam package leaves it
    template = transform(template, json.loads(sys.argv[2]), ManagedPolicies())
json.dump(template, sys.stdout)
