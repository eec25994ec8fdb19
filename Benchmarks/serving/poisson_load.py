"""Open-loop load: requests are due at random times, whatever the server does, and latency counts from when one was due.

One thread; requests are bytes made beforehand, over kept-alive connections that are opened as needed and used in turn.
"""
import gc
import random
import select
import socket
import time
from collections import deque
from dataclasses import dataclass, field

CONNECTION_LIMIT = 128
DRAIN_SECONDS = 15


@dataclass
class Load:
    """What came of a run. Units: milliseconds, in the order the requests were due; None for one without an answer."""
    latencies: list
    kinds: list
    error_count: int = 0
    stopped_early: bool = False
    connection_count: int = 0
    generator_share: float = 0.0  # of a core
    lags: list = field(default_factory=list)  # from due, or from when a connection was free, until it was sent

    def percentile(self, share, kind=None):
        """Infinite where that many have no answer."""
        chosen = sorted(float("inf") if latency is None else latency
                        for latency, of in zip(self.latencies, self.kinds) if kind in (None, of))
        return chosen[max(0, -(-len(chosen) * share // 100) - 1)]


def http_request(path, body):
    return (f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


def poisson_times(rate, count, seed):
    """Units: seconds from the start."""
    generator, now, times = random.Random(seed), 0.0, []
    for _ in range(count):
        now += generator.expovariate(rate)
        times.append(now)
    return times


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        self.socket.setblocking(False)
        self.request = None  # index of the one in flight
        self.unsent = memoryview(b"")
        self.received = b""

    def send(self):
        """Whether all has been sent."""
        while self.unsent:
            try:
                self.unsent = self.unsent[self.socket.send(self.unsent):]
            except BlockingIOError:
                return False
        return True

    def receive(self):
        """The status of a complete answer, 0 where more must come, -1 where the connection broke."""
        try:
            data = self.socket.recv(1 << 16)
        except BlockingIOError:
            return 0
        except OSError:
            return -1
        if not data:
            return -1
        self.received += data
        head, separator, body = self.received.partition(b"\r\n\r\n")
        if not separator:
            return 0
        start = head.lower().find(b"\r\ncontent-length:")
        if start < 0:
            return -1
        if len(body) < int(head[start + 17:].split(b"\r\n", 1)[0]):
            return 0
        self.received = b""
        return int(head[9:12])


class PoissonLoad:
    def __init__(self, port, requests, kinds, times, late_milliseconds, late_allowed):
        """Sends `requests[i]` at `times[i]`; ends early once more than `late_allowed` took over `late_milliseconds`."""
        self.port, self.requests, self.times = port, requests, times
        self.late, self.late_allowed, self.late_count = late_milliseconds, late_allowed, 0
        self.load = Load([None] * len(times), kinds)
        self.idle, self.connections, self.waiting = deque(), {}, deque()
        self.poll = select.epoll()

    def run(self):
        gc.collect()
        gc.disable()
        cpu, start = time.process_time(), time.monotonic()
        try:
            self.loop(start)
        finally:
            gc.enable()
            for connection in self.connections.values():
                connection.socket.close()
            self.poll.close()
        self.load.generator_share = (time.process_time() - cpu) / (time.monotonic() - start)
        return self.load

    def loop(self, start):
        due = 0
        end = start + self.times[-1] + DRAIN_SECONDS
        while True:
            now = time.monotonic() - start
            while due < len(self.times) and self.times[due] <= now and not self.load.stopped_early:
                self.waiting.append(due)
                due += 1
            while self.waiting and self.begin(now):
                pass
            if self.load.stopped_early:
                self.waiting.clear()
                due = len(self.times)
            is_over = due == len(self.times) and not self.waiting and len(self.idle) == len(self.connections)
            if is_over or start + now > end:
                return
            wake = start + self.times[due] if due < len(self.times) else end
            # epoll's own timeout is in whole milliseconds.
            select.select([self.poll], [], [], max(0, wake - time.monotonic()))
            for descriptor, _ in self.poll.poll(0):
                self.advance(self.connections[descriptor], start)

    def begin(self, now):
        """Sends the first that waits; False where no connection is free."""
        if not self.idle:
            if len(self.connections) == CONNECTION_LIMIT:
                return False
            connection = Connection(self.port)
            self.connections[connection.socket.fileno()] = connection
            self.load.connection_count += 1
            self.poll.register(connection.socket, select.EPOLLIN)
            self.idle.append(connection)
        connection, index = self.idle.popleft(), self.waiting.popleft()
        self.load.lags.append(1e3 * (now - self.times[index]))
        connection.request, connection.unsent = index, memoryview(self.requests[index])
        if not connection.send():
            self.poll.modify(connection.socket, select.EPOLLIN | select.EPOLLOUT)
        return True

    def advance(self, connection, start):
        if connection.unsent and connection.send():
            self.poll.modify(connection.socket, select.EPOLLIN)
        status = connection.receive()
        if status == 0:
            return
        if connection.request is not None:
            self.finish(connection, status, 1e3 * (time.monotonic() - start - self.times[connection.request]))
        else:
            self.idle.remove(connection)
        # An answer before the whole request has been sent is a refusal, after which the rest is of no use.
        if status == -1 or connection.unsent:
            self.poll.unregister(connection.socket)
            del self.connections[connection.socket.fileno()]
            connection.socket.close()
        else:
            self.idle.append(connection)

    def finish(self, connection, status, latency):
        if status == 200 and not connection.unsent:
            self.load.latencies[connection.request] = latency
        else:
            self.load.error_count += 1
        if self.load.latencies[connection.request] is None or latency > self.late:
            self.late_count += 1
            self.load.stopped_early = self.late_count > self.late_allowed
        connection.request = None


def run_poisson(server, bodies, rate, count, seed, late_milliseconds=float("inf"), large_bodies=(), large_every=0):
    """`count` requests at `rate` a second; every `large_every`th, in random places, has one of `large_bodies`."""
    small = [http_request(server.path, body) for body in bodies]
    large = [http_request(server.path, body) for body in large_bodies]
    kinds = ["large" if large_every and index % large_every == 0 else "small" for index in range(count)]
    random.Random(seed).shuffle(kinds)
    requests = [(large if kind == "large" else small)[index % len(large if kind == "large" else small)]
                for index, kind in enumerate(kinds)]
    return PoissonLoad(server.port, requests, kinds, poisson_times(rate, count, seed), late_milliseconds,
                       count // 100).run()
