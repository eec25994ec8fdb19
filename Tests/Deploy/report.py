"""A table of what was checked, and the figure for each."""


class Report:
    def __init__(self):
        self.failures = 0
        self.checks = 0
        self.skipped = 0

    def section(self, title):
        print(f"\n== {title}", flush=True)

    def check(self, what, is_good, figure=""):
        self.checks += 1
        self.failures += not is_good
        print(f"{'ok  ' if is_good else 'FAIL'}  {what:<64}  {figure}", flush=True)
        return is_good

    def skip(self, what, why):
        """What this machine, or who called, does not allow to be checked."""
        self.skipped += 1
        print(f"skip  {what:<64}  {why}", flush=True)

    def note(self, what, figure=""):
        print(f"--    {what:<64}  {figure}", flush=True)
