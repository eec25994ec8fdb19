"""What the checks make of what they find: `python -m unittest tests`, which scripts/check-deploy runs first."""
import unittest

import quota
from report import Report


def counts(periods, throttled, seconds):
    return {"swiftlet_cpu_periods_total": periods, "swiftlet_cpu_throttled_periods_total": throttled,
            "swiftlet_cpu_throttled_seconds_total": seconds}


class QuotaTests(unittest.TestCase):
    def test_threads_are_the_cores_or_the_quota_rounded_up(self):
        table = {(2, None): 2, (1, None): 1, (2, 0.5): 1, (2, 1.0): 1, (2, 1.5): 2, (1, 1.5): 1, (2, 3.0): 2, (8, 2.1): 3}
        self.assertEqual({key: quota.threads(*key) for key in table}, table)

    def test_throttling_is_demanded_where_threads_exceed_the_quota(self):
        table = {(2, 0.5): True, (2, 1.5): True, (4, 2.1): True, (2, 1.0): None, (2, 2.0): None,
                 (1, 1.5): False, (2, 3.0): False}
        self.assertEqual({key: quota.throttling(*key) for key in table}, table)

    def faults(self, cores, cores_allowed, threads, kernel, told=None, used=9.0, **changes):
        metrics = {"swiftlet_compute_threads": threads, "swiftlet_cpu_quota_cores": cores_allowed, **(told or kernel), **changes}
        return quota.faults(cores, cores_allowed, metrics, kernel, kernel, used)

    def test_good_runs_have_no_fault(self):
        self.assertEqual(self.faults(2, 1.5, 2, counts(20, 19, 1.5)), [])
        self.assertEqual(self.faults(1, 1.5, 1, counts(20, 0, 0)), [])
        self.assertEqual(self.faults(2, 1.0, 1, counts(20, 0, 0)), [])
        self.assertEqual(self.faults(2, 1.0, 1, counts(20, 7, 0.1)), [])
        self.assertEqual(quota.faults(2, None, {"swiftlet_compute_threads": 2}, {}, {}, 1.9), [])

    def test_each_fault_is_found(self):
        for kernel, arguments in [
                (counts(20, 19, 1.5), {"threads": 1}),
                (counts(20, 19, 1.5), {"swiftlet_cpu_quota_cores": 2.0}),
                (counts(20, 19, 1.5), {"told": counts(20, 0, 1.5)}),
                (counts(20, 19, 1.5), {"told": counts(20, 19, 0)}),
                (counts(20, 19, 1.5), {"told": counts(0, 19, 1.5)}),
                (counts(20, 0, 0), {"used": 1.5}), (counts(0, 0, 0), {})]:
            self.assertTrue(self.faults(2, 1.5, **{"threads": 2, "kernel": kernel, **arguments}), (kernel, arguments))
        self.assertTrue(self.faults(1, 1.5, 1, counts(20, 1, 0.1)))
        self.assertTrue(quota.faults(2, None, {"swiftlet_compute_threads": 1}, {}, {}, 1.9))
        self.assertTrue(quota.faults(2, None, {"swiftlet_compute_threads": 2, "swiftlet_cpu_quota_cores": 1}, {}, {}, 1.9))

    def test_a_quota_that_was_not_reached_says_nothing(self):
        self.assertIsNone(self.faults(2, 1.5, 2, counts(20, 0, 0), used=1.2))


class ReportTests(unittest.TestCase):
    def report(self, *holds, missing=()):
        report = Report()
        for is_good in holds:
            report.check("a", is_good)
        for name in missing:
            report.skip(name, "a", "b")
        return report

    def test_what_is_missing_is_an_error_unless_allowed(self):
        report = self.report(True, missing=["crds", "quota"])
        self.assertEqual(len(report.complaints([])), 2)
        self.assertIn("--allow-missing quota", report.complaints(["crds", "cores"])[0])
        self.assertEqual(report.complaints(["crds", "quota"]), [])

    def test_a_failure_and_no_check_at_all_are_errors(self):
        self.assertEqual(self.report(True).complaints([]), [])
        self.assertEqual(len(self.report(True, False).complaints(["crds"])), 1)
        self.assertEqual(len(self.report(missing=["quota"]).complaints(["quota"])), 1)
