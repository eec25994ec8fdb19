"""`swiftlet serve` as the scripts here start it: on a free port of loopback, limited as they wish, ended by its id."""
import os
import re
import resource
import signal
import socket
import subprocess
import threading
import time
from contextlib import contextmanager

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", ".."))
READY_SECONDS = 30


class Server:
    """A running server. Units: megabytes are 10⁶ bytes."""

    def __init__(self, binary, flags=(), cores=None, limits=(), stderr=None, environment=None):
        """`limits`: pairs of an RLIMIT and its value. `stderr`: where its log goes instead of to `lines`."""
        command = [os.path.abspath(binary), "serve", "--host", "127.0.0.1", "--port", "0", "--models", os.path.join(ROOT, "models"), *flags]
        if "--load-models" not in flags:
            command += ["--load-models", "efficientnet-lite0", "--model", "efficientnet-lite0"]

        def prepare():
            if cores is not None:
                os.sched_setaffinity(0, cores)
            for name, value in limits:
                resource.setrlimit(name, (value, value))

        self.lines = []
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr or subprocess.PIPE, cwd="/",
            preexec_fn=prepare, env=environment)
        self.pid, self.port = self.process.pid, None
        if stderr is None:
            threading.Thread(target=self._read, daemon=True).start()
            self._wait_for_port()
        self.peak_megabytes = 0.0

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line.decode(errors="replace").rstrip())

    def _wait_for_port(self):
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            for line in self.lines:
                found = re.search(r"listening on http://.*:(\d+)$", line)
                if found:
                    self.port = int(found.group(1))
                    return
            time.sleep(0.005)
        raise SystemExit("the server did not start:\n" + "\n".join(self.lines[-20:]))

    def find_port(self):
        """Of the listening socket, where there is no line to read it from."""
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            inodes = set()
            for name in os.listdir(f"/proc/{self.pid}/fd"):
                try:
                    inodes.add(os.readlink(f"/proc/{self.pid}/fd/{name}"))
                except FileNotFoundError:
                    pass
            with open(f"/proc/{self.pid}/net/tcp", encoding="ascii") as table:
                for row in list(table)[1:]:
                    fields = row.split()
                    if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                        self.port = int(fields[1].split(":")[1], 16)
            if self.port and exchange(self.port, b"GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")[0] == 200:
                return
            time.sleep(0.02)
        raise SystemExit("the server did not start")

    def megabytes(self):
        """Resident memory."""
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
            now = int(file.read().split()[1]) * resource.getpagesize() / 1e6
        self.peak_megabytes = max(self.peak_megabytes, now)
        return now

    def is_running(self):
        return self.process.poll() is None

    def metrics(self):
        """By the whole name with labels."""
        status, _, body = exchange(self.port, b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        if status != 200:
            raise SystemExit(f"/metrics answered {status}")
        rows = (line.rpartition(" ") for line in body.decode().splitlines() if line and line[0] != "#")
        return {name: float(value) for name, _, value in rows}

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        if self.is_running():
            self.signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()


@contextmanager
def running(binary, *arguments, **named):
    server = Server(binary, *arguments, **named)
    try:
        yield server
    finally:
        server.stop()


def connect(port, timeout=30):
    connection = socket.create_connection(("127.0.0.1", port), timeout)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def read_answer(connection, received=b""):
    """Status, header fields by lower-case name, and body; status 0 where the connection ended instead."""
    while b"\r\n\r\n" not in received:
        data = connection.recv(1 << 16)
        if not data:
            return 0, {}, b""
        received += data
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    length = int(fields.get("content-length", 0))
    while len(body) < length:
        data = connection.recv(1 << 16)
        if not data:
            return 0, fields, body
        body += data
    return int(lines[0].split()[1]), fields, body[:length]


def exchange(port, request, timeout=30):
    """One request on a connection of its own; status 0 where there is no answer."""
    try:
        with connect(port, timeout) as connection:
            try:
                connection.sendall(request)
            except (BrokenPipeError, ConnectionResetError):
                pass  # an answer may be there all the same
            return read_answer(connection)
    except (ConnectionError, socket.timeout):
        return 0, {}, b""


def post(body, fields=(), path="/v1/classify"):
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def multipart(bodies):
    """The body and its field."""
    boundary = "0123456789frontier"
    parts = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="a"; filename="a.jpg"\r\n\r\n'.encode() + body + b"\r\n"
        for body in bodies)
    return parts + f"--{boundary}--\r\n".encode(), [f"Content-Type: multipart/form-data; boundary={boundary}"]


def photo(path=None, byte_count=100_000):
    """A photo, with bytes after its end that bring it to the size of usual ones."""
    with open(path or os.path.join(ROOT, "Tests", "Fixtures", "photo", "chelsea.jpg"), "rb") as file:
        data = file.read()
    return data + bytes(max(0, byte_count - len(data)))


def print_table(head, rows):
    rows = [[cell if isinstance(cell, str) else f"{cell:.4g}" for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    for row in [head, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip(), flush=True)


def add_arguments(parser):
    parser.add_argument("--swiftlet", default=os.path.join(ROOT, ".build", "release", "swiftlet"), help="the binary")
    parser.add_argument("--photo", help="a JPEG file to send instead of the fixture, which is brought to 100 kB")
