"""Prints a SAM template as JSON: as it is, or for each object of parameters in
the JSON list of a file, as the CloudFormation template that AWS would make of
it, in a list."""

import copy
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
        if resource["Type"] == "AWS::Serverless::Function" and isinstance(resource["Properties"]["CodeUri"], str):
            resource["Properties"]["CodeUri"] = "s3://bucket/key"  # as sam package leaves it
    with open(sys.argv[2]) as f:
        template = [transform(copy.deepcopy(template), p, ManagedPolicies()) for p in json.load(f)]
json.dump(template, sys.stdout)
