"""As much of PromQL as it takes to find the metrics of a query. Prometheus itself says whether a query is one."""
import re

# Of the queries here, every other identifier is a function, a keyword or a label.
METRIC = re.compile(r"(?<![\w:$])([a-z_][a-z0-9_:]*)(?![\w:])", re.IGNORECASE)
KEYWORDS = {"by", "without", "on", "ignoring", "group_left", "group_right", "and", "or", "unless", "bool", "offset", "inf", "nan"}


def _bare(expression):
    """Without matchers, durations and lists of labels: of the same length, so that positions stay."""
    def blank(found):
        return " " * len(found.group())

    expression = re.sub(r"\{(\"(\\.|[^\"\\])*\"|[^}\"])*\}", blank, expression)
    expression = re.sub(r"\[[^\]]*\]", blank, expression)
    expression = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", blank, expression)
    return re.sub(r"\boffset\s+\w+|\b\d[\w.]*", blank, expression)


def selectors(expression):
    """Pairs of a metric's name and the selector with its matchers, in order."""
    bare = _bare(expression)
    result = []
    for found in METRIC.finditer(bare):
        after = bare[found.end():].lstrip()
        if after.startswith("(") or found.group().lower() in KEYWORDS:
            continue
        matchers = re.match(r"\s*(\{(\"(\\.|[^\"\\])*\"|[^}\"])*\})", expression[found.end():])
        result.append((found.group(), found.group() + (matchers.group(1) if matchers else "")))
    return result


def without_thresholds(expression):
    """The same with comparisons that keep every series, and nothing of days ago: it has data where all its parts have."""
    expression = re.sub(r"\s+offset\s+\w+", "", expression)
    bare = _bare(expression)
    for found in reversed(list(re.finditer(r"==|!=|<=|>=|<|>", bare))):
        expression = expression[:found.end()] + " bool" + expression[found.end():]
    return expression
