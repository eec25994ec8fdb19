"""Replicas behind a balancer, and what they say of themselves."""
import re
import time

from server import Server

FLAGS = ["--threads", "1", "--drain-delay-seconds", "2", "--trusted-proxies", "127.0.0.1"]
CLASSIFIED = re.compile(r'swiftlet_requests_total\{.*route="/v1/classify".*\}')


def classified(server):
    """Requests to /v1/classify that it has answered, with whatever code."""
    counts = [value for name, value in server.metrics().items() if CLASSIFIED.match(name)]
    if not counts:
        raise SystemExit("/metrics does not count requests to /v1/classify any more")
    return sum(counts)


def rejected(server, reason):
    return server.metrics()[f'swiftlet_rejected_total{{reason="{reason}"}}']


def wait(condition, seconds):
    """How long it took to hold; None where it did not."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > seconds:
            return None
        time.sleep(0.01)
    return time.monotonic() - start


class Fleet:
    """Replicas on ports that they keep, and a balancer before them."""

    def __init__(self, arguments, kind, count=3, flags=()):
        self.binary, self.flags = arguments.swiftlet, [*FLAGS, *flags]
        self.servers, self.balancer, self.ended = [], None, set()
        try:
            self.servers = [Server(self.binary, self.flags) for _ in range(count)]
            self.ports = [server.port for server in self.servers]
            # The file has three replicas; one is one with three names.
            self.balancer = kind((self.ports * 3)[:3])
            self.wait_until_up()
        except BaseException:
            self.stop()
            raise

    def wait_until_up(self):
        if self.balancer.checks and wait(lambda: all(map(self.balancer.is_up, range(len(self.ports)))), 10) is None:
            raise SystemExit("HAProxy does not find all replicas ready")

    def end(self, index, number):
        """By a signal: whatever else ends replicas is a fault, which a balancer may hide from clients."""
        self.ended.add(index)
        self.servers[index].signal(number)

    def restart(self, index):
        """What a supervisor does, once the process has ended: the next one is ready before this returns."""
        self.servers[index] = Server(self.binary, [*self.flags, "--port", str(self.ports[index])])
        self.ended.discard(index)

    def complaint(self):
        return "".join(
            f" replica {index} has ended by itself, exit code {server.process.returncode}: " + " | ".join(server.lines[-5:])
            for index, server in enumerate(self.servers) if index not in self.ended and not server.is_running())

    def stop(self):
        if self.balancer:
            self.balancer.stop()
        for server in self.servers:
            if server.is_running():
                server.process.kill()
                server.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
