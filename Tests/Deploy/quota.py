"""Threads follow the affinity and the control group's quota, and throttling is counted."""
import os
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from server import Server


def run(report, what, binary, root, prefix, threads, quota):
    photo = (root / "Tests/Fixtures/photo/chelsea.jpg").read_bytes()
    command = [*prefix, binary, "serve", "--host=127.0.0.1", "--port=0", f"--models={root / 'models'}",
               "--load-models=efficientnet-lite0", "--max-queue-wait-milliseconds=0"]
    with tempfile.TemporaryDirectory() as work, Server(command, directory=work) as server:
        before, started = server.metrics(), time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(lambda _: server.request("POST", "/v1/classify", photo)[0], range(160)))
        seconds = time.monotonic() - started
        after = server.metrics()
        grown = {key: after[key] - before[key] for key in after
                 if key.startswith("swiftlet_cpu_") and key.endswith("_total")}
        is_good = after["swiftlet_compute_threads"] == threads and set(statuses) == {200}
        figure = f"{after['swiftlet_compute_threads']:.0f} threads, {160 / seconds:.0f} images/s"
        if quota is None:
            is_good = is_good and after.get("swiftlet_cpu_quota_cores") in (None, *inherited())
        else:
            is_good = is_good and after["swiftlet_cpu_quota_cores"] == quota
            periods, throttled = grown["swiftlet_cpu_periods_total"], grown["swiftlet_cpu_throttled_periods_total"]
            stood_still = grown["swiftlet_cpu_throttled_seconds_total"]
            # Above one core, whether it is reached depends on what else runs here.
            is_good = is_good and 0 < periods and throttled <= periods and (throttled > 0) == (stood_still > 0)
            is_good = is_good and (throttled > 0 or quota > 1)
            figure += f", {throttled:.0f} of {periods:.0f} periods throttled, {stood_still:.2f} s"
        report.check(what, is_good, figure)


def inherited():
    """A quota that whoever runs this has already."""
    for path in ("/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us"):
        if Path(path).exists() and Path(path).read_text().split()[0] not in ("max", "-1"):
            return (os.cpu_count(),)
    return ()


def check(report, binary, root):
    report.section("CPU quota: 160 photos by 8 clients")
    cores = len(os.sched_getaffinity(0))
    for count in (1, 2):
        if count > cores:
            report.skip(f"taskset, {count} cores", f"there is {cores}")
            continue
        chosen = ",".join(str(core) for core in sorted(os.sched_getaffinity(0))[:count])
        run(report, f"taskset --cpu-list {chosen}", binary, root, ["taskset", "--cpu-list", chosen], count, None)
    for cores_allowed in (0.5, 1.5):
        group, how = make_group(cores_allowed)
        if group is None:
            report.skip(f"a control group with {cores_allowed} cores", how)
            continue
        try:
            join = ["sh", "-c", f'echo $$ >"{group}/cgroup.procs" && exec "$@"', "join"]
            threads = max(1, min(cores, -int(-cores_allowed // 1)))
            run(report, f"{how} quota of {cores_allowed} cores", binary, root, join, threads, cores_allowed)
        finally:
            for _ in range(100):
                try:
                    group.rmdir()
                    break
                except OSError:
                    time.sleep(0.05)


def make_group(cores):
    """A new group below the mount point with this quota; or None, and why not."""
    quota = str(int(cores * 100_000))
    name = f"swiftlet-check-{os.getpid()}-{quota}"
    first, second = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")
    version, base = (1, first) if (first / "cpu.cfs_quota_us").exists() or (first / "cgroup.procs").exists() \
        else (2, second)
    group = base / name
    try:
        group.mkdir()
        if version == 1:
            (group / "cpu.cfs_period_us").write_text("100000")
            (group / "cpu.cfs_quota_us").write_text(quota)
        else:
            if "cpu" not in (base / "cgroup.subtree_control").read_text().split():
                raise OSError("the cpu controller is not handed down here")
            (group / "cpu.max").write_text(f"{quota} 100000")
        return group, f"cgroup version {version},"
    except OSError as error:
        if group.is_dir():
            group.rmdir()
        return None, f"cannot be made here: {error}"
