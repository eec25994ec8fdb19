"""HAProxy and nginx as deploy/ configures them, before servers on loopback.

What is changed in the files: the replicas' addresses, the address to listen on, the paths that only root can write, and
for HAProxy `maxconn`, as the replicas here have one thread.
"""
import os
import shutil
import socket
import subprocess
import tempfile
import time

from server import ROOT

START_SECONDS = 10


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def replaced(text, changes):
    """Each change must be there to be made: a configuration that has moved on is not tested by accident."""
    for old, new in changes:
        if old not in text:
            raise SystemExit(f"there is no '{old}' in the configuration any more")
        text = text.replace(old, new)
    return text


class Balancer:
    """A running balancer before three ports."""

    def __init__(self, ports):
        self.directory = tempfile.mkdtemp(prefix="fleet-")
        os.chmod(self.directory, 0o755)
        self.log_path = os.path.join(self.directory, "log")
        self.port = free_port()
        path = os.path.join(self.directory, "configuration")
        with open(os.path.join(ROOT, self.source), encoding="utf-8") as file:
            text = replaced(file.read(), self.changes(ports))
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        self.log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            self.command(path), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, cwd=self.directory)
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except ConnectionRefusedError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise SystemExit(f"{self.name} did not start:\n" + "\n".join(self.lines()[-20:]))
                time.sleep(0.02)

    def lines(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()

    def addresses(self, ports):
        return [(f"127.0.0.1:{8081 + index}", f"127.0.0.1:{port}") for index, port in enumerate(ports)]

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.directory)


class HAProxy(Balancer):
    name, source = "HAProxy", "deploy/haproxy/haproxy.cfg"
    checks = True

    def changes(self, ports):
        changes = self.addresses(ports) + [
            ("bind :80\n", f"bind 127.0.0.1:{self.port}\n"),
            ("/run/haproxy/admin.sock", f"{self.directory}/admin.sock"),
            ("default-server maxconn 16\n", "default-server maxconn 8\n")]
        if os.getuid():
            changes += [("    user haproxy\n", ""), ("    group haproxy\n", "")]
        return changes

    def command(self, path):
        return ["haproxy", "-db", "-f", path]

    def statistics(self):
        """Of each server and of `BACKEND`, by name."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(f"{self.directory}/admin.sock")
            connection.sendall(b"show stat\n")
            text = b"".join(iter(lambda: connection.recv(1 << 16), b"")).decode()
        head, *rows = [line.split(",") for line in text.lstrip("# ").splitlines() if line]
        named = [dict(zip(head, row)) for row in rows]
        return {row["svname"]: row for row in named if row["pxname"] == "replicas"}

    def is_up(self, index):
        return self.statistics()[f"replica{index + 1}"]["status"].startswith("UP")

    def retries(self):
        return int(self.statistics()["BACKEND"]["wretr"])


class Nginx(Balancer):
    name, source = "nginx", "deploy/nginx/nginx.conf"
    checks = False

    def changes(self, ports):
        kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        for kind in kinds:
            os.mkdir(f"{self.directory}/{kind}")
            os.chmod(f"{self.directory}/{kind}", 0o777)
        places = "".join(f"    {kind}_temp_path {self.directory}/{kind};\n" for kind in kinds)
        return self.addresses(ports) + [
            ("listen 80 ", f"listen 127.0.0.1:{self.port} "),
            ("/run/nginx.pid", f"{self.directory}/pid"),
            ("/var/log/nginx/access.log", self.log_path),
            ("/var/log/nginx/error.log", "stderr"),
            ("http {\n", "http {\n" + places)]

    def command(self, path):
        return ["nginx", "-p", self.directory, "-c", path, "-g", "daemon off;"]

    def requests(self):
        """The upstreams that each request was tried at, in order."""
        return [line.partition('upstream="')[2].partition('"')[0].replace(" : ", ", ").split(", ")
                for line in self.lines() if 'upstream="' in line]

    def retries(self):
        return sum(len(tries) - 1 for tries in self.requests())


ALL = {"haproxy": HAProxy, "nginx": Nginx}
