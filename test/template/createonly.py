"""Prints which properties of each given resource type CloudFormation cannot
change without replacing the resource, by AWS's own schemas, as JSON."""

import json
import sys

from cfnlint.schema import PROVIDER_SCHEMA_MANAGER


def create_only(kind):
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("eu-central-1", kind).schema
    return [p.split("/")[2] for p in schema.get("createOnlyProperties", [])]


json.dump({kind: create_only(kind) for kind in sys.argv[1:]}, sys.stdout)
