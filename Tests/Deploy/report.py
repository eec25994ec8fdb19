"""A table of what was checked, and the figure for each."""

# What a machine, or who calls, may not have, and what it takes.
MISSING = {
    "crds": "CRDS, a directory of custom resource definitions",
    "cores": "two cores, and nobody else who holds them",
    "quota": "the right to make a control group with a CPU quota",
}


class Report:
    def __init__(self):
        self.failures = 0
        self.checks = 0
        self.missing = set()

    def section(self, title):
        print(f"\n== {title}", flush=True)

    def check(self, what, is_good, figure=""):
        self.checks += 1
        self.failures += not is_good
        print(f"{'ok  ' if is_good else 'FAIL'}  {what:<64}  {figure}", flush=True)
        return is_good

    def skip(self, missing, what, why):
        """What cannot be checked. `missing`: a key of MISSING, by which the caller may allow it."""
        assert missing in MISSING, missing
        self.missing.add(missing)
        print(f"skip  {what:<64}  {why}", flush=True)

    def complaints(self, allowed):
        """Why this is no success, a sentence each. `allowed`: keys of what may be left out."""
        found = []
        if self.failures:
            found.append(f"{self.failures} of {self.checks} checks fail")
        if not self.checks:
            found.append("nothing was checked")
        for missing in sorted(self.missing - set(allowed)):
            found.append(f"not all was checked for want of {MISSING[missing]}; --allow-missing {missing} lets that pass")
        return found

    def note(self, what, figure=""):
        print(f"--    {what:<64}  {figure}", flush=True)
