"""Reads metrics as Prometheus's own Python client does: format as argument, text on stdin, families as JSON on stdout."""
import json
import sys

from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser

parse = openmetrics_parser if sys.argv[1] == "openmetrics" else parser
json.dump(
    [
        {"name": family.name, "type": family.type, "samples": [[s.name, s.labels, s.value] for s in family.samples]}
        for family in parse.text_string_to_metric_families(sys.stdin.read())
    ],
    sys.stdout,
)
