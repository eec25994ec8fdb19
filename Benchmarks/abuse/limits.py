"""What the system grants no more of: descriptors, memory, room for the log. The rest is served, and a line tells."""
import os
import resource
import signal
import subprocess
import tempfile
import threading
import time

from server import Server, connect, exchange, multipart, photo, post, read_answer

READY = b"GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
DRAIN = ["--drain-delay-seconds", "0"]


def expect(failures, name, claim, what):
    if not claim:
        failures.append(f"{name}: {what}")


def descriptors(arguments, jpeg, failures):
    """100 descriptors, and three times as many clients that say nothing: who is connected is served."""
    server = Server(arguments.swiftlet, DRAIN, limits=[(resource.RLIMIT_NOFILE, 100)])
    hogs = []
    try:
        with connect(server.port) as served:
            served.sendall(post(jpeg))
            expect(failures, "descriptors", read_answer(served)[0] == 200, "no answer before")
            for _ in range(300):
                hogs.append(connect(server.port))
            time.sleep(0.3)
            good = 0
            for _ in range(100):
                served.sendall(post(jpeg))
                good += read_answer(served)[0] == 200
            expect(failures, "descriptors", good == 100, f"{good} of 100 answered on the connection that was there")
            newcomer = exchange(server.port, post(jpeg), 5)[0]
            for hog in hogs:
                hog.close()
            later = exchange(server.port, post(jpeg), 10)[0]
            expect(failures, "descriptors", later == 200, f"{later} after the others had gone")
        lines = [line for line in server.lines if "accept" in line]
        expect(failures, "descriptors", any("Too many open files" in line for line in lines), f"no line told: {lines}")
        print(f"descriptors: {good} of 100 answered while none was left, a newcomer {newcomer or 'had to wait'}, afterwards {later}; "
              f"said: {lines[:2]}")
    finally:
        server.stop()


def full_log(arguments, jpeg, failures):
    """Standard error on a file system without room, on /dev/full, and on a pipe that nobody reads any more."""
    environment = dict(os.environ, SWIFTLET_LOG_LEVEL="debug")
    for name in ("/dev/full", "full file system", "closed pipe"):
        directory, reader = None, None
        if name == "/dev/full":
            log = os.open("/dev/full", os.O_WRONLY)
        elif name == "closed pipe":
            reader, log = os.pipe()
        else:
            directory = tempfile.mkdtemp()
            if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", directory], capture_output=True).returncode:
                print("full file system: cannot mount a small one here, left out")
                os.rmdir(directory)
                continue
            log = os.open(os.path.join(directory, "log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            with open(os.path.join(directory, "other"), "wb") as filler:
                try:
                    filler.write(bytes(1 << 20))
                    filler.flush()
                except OSError:
                    pass
        server = Server(arguments.swiftlet, DRAIN, stderr=log, environment=environment)
        os.close(log)
        if reader is not None:
            os.close(reader)
        try:
            server.find_port()
            good = sum(exchange(server.port, post(jpeg))[0] == 200 for _ in range(50))
            lost = server.metrics()['swiftlet_log_lines_lost_total{log="application"}']
            expect(failures, name, good == 50, f"{good} of 50 answered")
            expect(failures, name, lost > 0, "no line was counted as lost")
            said = ""
            if directory:
                os.unlink(os.path.join(directory, "other"))
                server.signal(signal.SIGTERM)
                server.process.wait(10)
                with open(os.path.join(directory, "log"), encoding="utf-8") as file:
                    said = next((line.strip() for line in file if "could not be written" in line), "")
                expect(failures, name, "No space left on device" in said, "no line told when there was room again")
            code = server.stop()
            expect(failures, name, code == 0, f"exit code {code}")
            print(f"log on a {name}: {good} of 50 answered, {lost:.0f} lines lost and counted; {said}")
        finally:
            server.stop()
            if directory:
                subprocess.run(["umount", directory], check=False)
                os.rmdir(directory)


class MemoryGroup:
    """A memory control group of either version; `None` for the process's own where none may be made."""

    def __init__(self, byte_count):
        name = f"swiftlet-abuse-{os.getpid()}"
        for parent, key in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
            if not os.path.exists(os.path.join(parent, "cgroup.procs")):
                continue
            path = os.path.join(parent, name)
            try:
                os.mkdir(path)
                with open(os.path.join(path, key), "w", encoding="ascii") as file:
                    file.write(str(byte_count))
                self.path, self.kind = path, key
                return
            except OSError:
                if os.path.isdir(path):
                    os.rmdir(path)
        self.path, self.kind = None, "RLIMIT_DATA"

    def add(self, pid):
        with open(os.path.join(self.path, "cgroup.procs"), "w", encoding="ascii") as file:
            file.write(str(pid))

    def peak_megabytes(self):
        for key in ("memory.max_usage_in_bytes", "memory.peak"):
            try:
                with open(os.path.join(self.path, key), encoding="ascii") as file:
                    return int(file.read()) / 1e6
            except (OSError, TypeError):
                pass
        return float("nan")

    def remove(self):
        if self.path:
            for _ in range(50):
                try:
                    os.rmdir(self.path)
                    return
                except OSError:
                    time.sleep(0.1)


def memory(arguments, jpeg, failures):
    """150 MB, and clients that try to take them: large bodies, many at a time, slow ones, forms, and large progressive pictures."""
    import pictures
    limit = 150_000_000
    group = MemoryGroup(limit)
    limits = [] if group.path else [(resource.RLIMIT_DATA, limit)]
    launcher = [arguments.swiftlet]
    if group.path:
        # The shell enters the group and becomes the server: the memory of the start counts too.
        script = tempfile.NamedTemporaryFile("w", suffix=".sh", delete=False)
        script.write(f'#!/bin/sh\necho $$ > {group.path}/cgroup.procs && exec "{os.path.abspath(arguments.swiftlet)}" "$@"\n')
        script.close()
        os.chmod(script.name, 0o700)
        launcher = [script.name]
    flags = [*DRAIN, "--threads", "2", "--max-body-bytes", "8000000", "--max-held-bytes", "16000000"]
    options = subprocess.run([arguments.swiftlet, "serve", "--help"], capture_output=True, text=True, check=False).stdout
    if "--max-decode-bytes" in options:
        flags += ["--max-decode-bytes", "20000000"]
    server = Server(launcher[0], flags, limits=limits)
    try:
        end = time.monotonic() + 8
        counts, lock = {}, threading.Lock()
        large = jpeg + bytes(7_500_000)
        form, fields = multipart([jpeg] * 60)
        requests = {"normal": post(jpeg), "7.6 MB": post(large), "60 images": post(form, fields),
                    "17 MB of coefficients": post(pictures.progressive_jpeg(2896, 2896, 3)),
                    "157 MB of coefficients": post(pictures.progressive_jpeg(5120, 5120, 3, components=3))}

        def client(name):
            while time.monotonic() < end and server.is_running():
                status = exchange(server.port, requests[name], 20)[0]
                with lock:
                    counts[name, status] = counts.get((name, status), 0) + 1
                if status == 503:
                    time.sleep(0.05)

        def promise():
            held = []
            while time.monotonic() < end and server.is_running():
                try:
                    held.append(connect(server.port))
                    held[-1].sendall(b"POST /v1/classify HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n" + bytes(200_000))
                except OSError:
                    time.sleep(0.05)
                time.sleep(0.01)

        threads = [threading.Thread(target=client, args=(name,))
                   for name, count in (("normal", 4), ("7.6 MB", 6), ("60 images", 3), ("17 MB of coefficients", 3),
                                       ("157 MB of coefficients", 3)) for _ in range(count)]
        threads.append(threading.Thread(target=promise))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        peak = group.peak_megabytes() if group.path else server.megabytes()
        said = ", ".join(f"{name}: {count} × {status}" for (name, status), count in sorted(counts.items()))
        print(f"memory limit of {limit / 1e6:.0f} MB ({group.kind}): {'alive' if server.is_running() else 'DEAD'}, most {peak:.0f} MB; {said}")
        expect(failures, "memory", server.is_running(), f"the server has died: {server.lines[-3:]}")
        expect(failures, "memory", counts.get(("normal", 200), 0) > 0, "no normal request was answered")
    finally:
        server.stop()
        group.remove()


ALL = {"descriptors": descriptors, "full-log": full_log, "memory": memory}
