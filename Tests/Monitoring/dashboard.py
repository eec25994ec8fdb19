"""Holds a Grafana dashboard to Grafana's schema, and tells its queries."""
import json
import re

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

COLUMNS = 24
# What Grafana knows beyond its published schema.
BEYOND_SCHEMA = {"titleFormat"}


def _lost(ours, theirs, path=""):
    """Where what the schema's types have kept differs from what was put in: fields that Grafana does not know."""
    if isinstance(ours, dict):
        for key, value in ours.items():
            if isinstance(theirs, dict) and key in theirs:
                yield from _lost(value, theirs[key], f"{path}.{key}")
            elif key not in BEYOND_SCHEMA:
                yield f"{path}.{key} is not in Grafana's schema"
    elif isinstance(ours, list):
        if not isinstance(theirs, list) or len(ours) != len(theirs):
            yield f"{path} is no list in Grafana's schema"
        else:
            for index, pair in enumerate(zip(ours, theirs)):
                yield from _lost(*pair, f"{path}[{index}]")
    elif ours != theirs:
        yield f"{path}: {ours!r} becomes {theirs!r}"


def errors(dashboard):
    register_default_plugins()
    found = list(_lost(dashboard, json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard)))))
    panels = dashboard["panels"]
    identifiers = [panel["id"] for panel in panels]
    found += [f"panel id {value} is there twice" for value in {value for value in identifiers if identifiers.count(value) > 1}]
    cells = {}
    for panel in panels:
        title, position = panel["title"], panel["gridPos"]
        if position["x"] < 0 or position["w"] < 1 or position["h"] < 1 or position["x"] + position["w"] > COLUMNS:
            found.append(f"'{title}' lies outside of the {COLUMNS} columns: {position}")
        for cell in ((x, y) for x in range(position["x"], position["x"] + position["w"])
                     for y in range(position["y"], position["y"] + position["h"])):
            if cells.setdefault(cell, title) != title:
                found.append(f"'{title}' overlaps '{cells[cell]}'")
                break
        if panel["type"] == "row":
            continue
        if not panel["targets"]:
            found.append(f"'{title}' has no query")
        references = [target["refId"] for target in panel["targets"]]
        if len(set(references)) < len(references):
            found.append(f"'{title}' has two queries of the same refId")
        for source in [panel["datasource"], *(target["datasource"] for target in panel["targets"])]:
            if source["uid"] != "${datasource}":
                found.append(f"'{title}' has a data source of its own: {source}")
    names = {variable["name"] for variable in dashboard["templating"]["list"]}
    for used in set(re.findall(r"\$\{?(\w+)", json.dumps(dashboard))) - names - {"__rate_interval", "__all"}:
        found.append(f"there is no variable '{used}'")
    return found


def queries(dashboard):
    """Triples of a row's title, a panel's title and a query."""
    row = ""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            row = panel["title"]
        for target in panel.get("targets", []):
            yield row, panel["title"], target["expr"]


def variables(dashboard):
    """Triples of a variable's name, the selector that it is taken from and the label."""
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            found = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"])
            yield variable["name"], found.group(1), found.group(2)


def substituted(expression):
    """With the variables as for the whole of a job that is scraped once a second."""
    for name, value in (("$__rate_interval", "10s"), ("$job", "swiftlet"), ("$instance", ".*"), ("$model", ".*")):
        expression = expression.replace(name, value)
    return expression
