"""Threads follow the affinity and the control group's quota, and throttling is counted as the kernel counts it."""
import math
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from server import Server

CLIENTS, IMAGES = 4, 40
FIRST, SECOND = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")
# Of the quota: what goes by between two looks at a clock and the work is not the server's.
REACHED = 0.95


def threads(cores, quota):
    """What is promised: as many as cores, or as the quota rounded up."""
    return max(1, min(cores, math.ceil(quota))) if quota else cores


def throttling(cores, quota):
    """Whether work without end is held up by `quota`: True where its threads alone may use more, False where all cores
    together are less, None between the two, where it takes what the server does beside its threads."""
    if quota < threads(cores, quota):
        return True
    return False if quota > cores else None


def faults(cores, quota, metrics, before, after, used):
    """What is wrong after work without end; None where nothing can be said, since the work did not reach the quota.

    `before`, `after`: the kernel's counts around `metrics`, which are the server's. `used`: cores' worth of time.
    """
    found = []
    if metrics["swiftlet_compute_threads"] != threads(cores, quota):
        found.append(f"not {threads(cores, quota)} threads")
    if quota is None:
        if metrics.get("swiftlet_cpu_quota_cores") is not None:
            found.append("a quota that nobody has set")
        return found
    if metrics.get("swiftlet_cpu_quota_cores") != quota:
        found.append(f"the quota is said to be {metrics.get('swiftlet_cpu_quota_cores')}")
    for name, least in before.items():
        if not least <= metrics.get(name, -1) <= after[name]:
            found.append(f"{name} is {metrics.get(name)}, and the kernel's {least} to {after[name]}")
    throttled = after["swiftlet_cpu_throttled_periods_total"]
    if after["swiftlet_cpu_periods_total"] == 0:
        found.append("no period has passed")
    if throttled and throttling(cores, quota) is False:
        found.append("throttled, with fewer cores than the quota")
    if not throttled and throttling(cores, quota):
        if not found and used < REACHED * quota:
            return None
        found.append(f"not throttled with {used:.2f} cores used")
    return found


def kernel_counts(group):
    """By the names of the server's metrics. Source: cgroup-v2 and sched-bwc, `cpu.stat`."""
    stat = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
    seconds = int(stat["throttled_usec"]) / 1e6 if "throttled_usec" in stat else int(stat["throttled_time"]) / 1e9
    return {"swiftlet_cpu_periods_total": int(stat["nr_periods"]),
            "swiftlet_cpu_throttled_periods_total": int(stat["nr_throttled"]),
            "swiftlet_cpu_throttled_seconds_total": seconds}


def cpu_seconds(pid):
    """Source: proc_pid_stat(5), `utime` and `stime`."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def form(photo):
    """Many images in one request: what the clients do takes next to nothing of the cores."""
    head = b'--edge\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'
    return (head + photo + b"\r\n") * IMAGES + b"--edge--\r\n"


def run(report, what, binary, root, prefix, cores, quota=None, group=None):
    body = form((root / "Tests/Fixtures/photo/chelsea.jpg").read_bytes())
    fields = {"Content-Type": "multipart/form-data; boundary=edge"}
    command = [*prefix, binary, "serve", "--host=127.0.0.1", "--port=0", f"--models={root / 'models'}",
               "--load-models=efficientnet-lite0", "--max-queue-wait-milliseconds=0"]
    with tempfile.TemporaryDirectory() as work, Server(command, directory=work) as server:
        started, busy = time.monotonic(), cpu_seconds(server.process.pid)
        with ThreadPoolExecutor(CLIENTS) as pool:
            answers = list(pool.map(
                lambda _: server.json("POST", "/v1/classify", body, fields=fields), range(CLIENTS)))
        seconds = time.monotonic() - started
        used = (cpu_seconds(server.process.pid) - busy) / seconds
        before = kernel_counts(group) if group else {}
        metrics = server.metrics()
        after = kernel_counts(group) if group else {}
    figure = f"{metrics['swiftlet_compute_threads']:.0f} threads, {used:.2f} cores used"
    if group:
        figure += (f", {after['swiftlet_cpu_throttled_periods_total']} of {after['swiftlet_cpu_periods_total']} periods"
                   f" throttled, {after['swiftlet_cpu_throttled_seconds_total']:.2f} s")
    found = faults(cores, quota, metrics, before, after, used)
    if found is None:
        report.skip("cores", what, f"somebody else holds the cores: {figure}")
        return
    good = [result for status, answer in answers if status == 200
            for result in answer["results"] if "predictions" in result]
    if len(good) != CLIENTS * IMAGES:
        found.append(f"{len(good)} photos answered")
    report.check(what, not found, "; ".join([figure, *found]))


def inherited():
    """The quota, in cores, that whoever runs this has already."""
    if (SECOND / "cpu.max").exists():
        quota, period = (SECOND / "cpu.max").read_text().split()
    elif (FIRST / "cpu.cfs_quota_us").exists():
        quota, period = ((FIRST / name).read_text() for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us"))
    else:
        return None
    return None if quota == "max" or int(quota) < 0 else int(quota) / int(period)


def check(report, binary, root):
    report.section(f"CPU quota: {CLIENTS * IMAGES} photos in {CLIENTS} requests")
    outer = inherited()
    if outer is not None:
        report.skip("quota", "affinity and quotas", f"whoever runs this has a quota of {outer} cores")
        return
    allowed = sorted(os.sched_getaffinity(0))

    def on(count):
        return ["taskset", "--cpu-list", ",".join(map(str, allowed[:count]))]

    for count in (1, 2):
        if count > len(allowed):
            report.skip("cores", f"affinity of {count} cores", f"there is {len(allowed)}")
        else:
            run(report, f"affinity of {count} cores", binary, root, on(count), count)
    # Less than the threads that it makes, as much, more than the cores that are left, and than all.
    for count, quota in ((2, 0.5), (2, 1.0), (2, 1.5), (1, 1.5), (len(allowed), len(allowed) + 1.0)):
        what = f"quota of {quota} cores, affinity of {count}"
        if count > len(allowed):
            report.skip("cores", what, f"there is {len(allowed)}")
            continue
        group, how = make_group(quota)
        if group is None:
            report.skip("quota", what, how)
            continue
        try:
            join = ["sh", "-c", f'echo $$ >"{group}/cgroup.procs" && exec "$@"', "join", *on(count)]
            run(report, f"{what}, {how}", binary, root, join, count, quota, group)
        finally:
            remove(group)


def remove(group):
    """Waits for the last process to have left."""
    for _ in range(100):
        try:
            return group.rmdir()
        except OSError:
            time.sleep(0.05)
    group.rmdir()


def make_group(cores):
    """A new group below the mount point with this quota; or None, and why not."""
    quota = str(int(cores * 100_000))
    name = f"swiftlet-check-{os.getpid()}-{quota}"
    version, base = (1, FIRST) if (FIRST / "cgroup.procs").exists() else (2, SECOND)
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
        return group, f"cgroup version {version}"
    except OSError as error:
        if group.is_dir():
            group.rmdir()
        return None, f"cannot be made here: {error}"
