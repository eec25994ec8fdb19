"""Medians, ratios with their spread, and tables."""
import statistics


def spread(values):
    return {"median": statistics.median(values), "low": min(values), "high": max(values), "rounds": list(values)}


def spread_text(figures, digits=2):
    return f"{figures['median']:.{digits}f} ({figures['low']:.{digits}f}–{figures['high']:.{digits}f})"


def medians(rounds):
    """Of each figure of the rounds: dictionaries with the same keys."""
    return {key: statistics.median(figures[key] for figures in rounds) for key in rounds[0]}


def ratios(ours, theirs):
    """Round by round, ours over theirs."""
    return spread([a / b for a, b in zip(ours, theirs)])


def print_table(title, header, rows):
    cells = [header] + [[cell if isinstance(cell, str) else f"{cell:.4g}" for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    print(f"\n{title}")
    for row in cells:
        print("  ".join([row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]))
    print(flush=True)
