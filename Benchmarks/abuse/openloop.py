"""Requests that are due at random times, whatever the server does. One thread, kept-alive connections used in turn.

Latency counts from when a request was due. An answer that comes before the whole request has been sent is taken, and the rest
is sent all the same: the connection is kept.
"""
import gc
import heapq
import random
import select
import socket
import time
from collections import deque
from dataclasses import dataclass

CONNECTION_LIMIT = 6000
DRAIN_SECONDS = 5


@dataclass
class Sent:
    """One request: when it was due, and what became of it. Units: seconds from the start."""
    due: float
    kind: int
    answered: float = 0.0
    status: int = 0  # 0: no answer
    retry_milliseconds: int = 0
    retry_seconds: int = 0

    @property
    def milliseconds(self):
        return 1e3 * (self.answered - self.due)


class Connection:
    def __init__(self, port):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.request, self.unsent, self.received, self.events = None, b"", b"", 0

    def send(self):
        while self.unsent:
            try:
                self.unsent = self.unsent[self.socket.send(self.unsent):]
            except BlockingIOError:
                return

    def receive(self):
        """The answer's status and head once it is whole, else 0; -1 where the connection has broken."""
        try:
            data = self.socket.recv(1 << 16)
        except BlockingIOError:
            return 0, b""
        except OSError:
            return -1, b""
        if not data:
            return -1, b""
        self.received += data
        head, separator, body = self.received.partition(b"\r\n\r\n")
        if not separator:
            return 0, b""
        head = head.lower()
        if len(body) < (field(head, b"content-length") or 0):
            return 0, b""
        self.received = b""
        return int(head[9:12]), head


def field(head, name):
    at = head.find(b"\r\n" + name + b":")
    return int(head[at + len(name) + 3:].split(b"\r\n", 1)[0]) if at >= 0 else None


class OpenLoop:
    def __init__(self, port, requests, rate, seconds, seed=1, shares=None, leave_after=None, at_once=0):
        """`requests`: the bytes of each kind; `shares`: how often each comes; `leave_after`: kinds whose client goes away so
        many seconds after sending; `at_once`: so many are due at the start."""
        generator, now, self.sent = random.Random(seed), 0.0, []
        for _ in range(at_once):
            self.sent.append(Sent(0.0, generator.choices(range(len(requests)), shares)[0]))
        while rate:
            now += generator.expovariate(rate)
            if now > seconds:
                break
            self.sent.append(Sent(now, generator.choices(range(len(requests)), shares)[0]))
        self.port, self.requests, self.seconds = port, [memoryview(of) for of in requests], seconds
        self.leave_after, self.leaving = leave_after or {}, []
        self.idle, self.connections, self.waiting = deque(), {}, deque()
        self.poll, self.lags, self.every, self.left = select.epoll(), [], None, 0

    def run(self, sample=None):
        """`sample` is called about five times a second."""
        gc.collect()
        gc.disable()
        cpu, self.start = time.process_time(), time.monotonic()
        try:
            self._loop(sample)
        finally:
            gc.enable()
            for connection in self.connections.values():
                connection.socket.close()
            self.poll.close()
        self.generator_share = (time.process_time() - cpu) / (time.monotonic() - self.start)
        return self.sent

    def _loop(self, sample):
        due, next_sample, end = 0, 0.0, self.seconds + DRAIN_SECONDS
        while True:
            now = time.monotonic() - self.start
            if sample and now >= next_sample:
                sample()
                next_sample = now + 0.2
            while due < len(self.sent) and self.sent[due].due <= now:
                self.waiting.append(self.sent[due])
                due += 1
            while self.waiting and self._begin(now):
                pass
            while self.leaving and self.leaving[0][0] <= now:
                _, _, connection, request = heapq.heappop(self.leaving)
                if connection.request is request:
                    self.left += 1
                    connection.request = None
                    self._drop(connection)
            if due == len(self.sent) and not self.waiting and len(self.idle) == len(self.connections) or now > end:
                return
            wait = self.sent[due].due - now if due < len(self.sent) else 0.05
            if self.leaving:
                wait = min(wait, self.leaving[0][0] - now)
            # epoll's own timeout is in whole milliseconds.
            select.select([self.poll], [], [], max(0.0, min(wait, 0.1)))
            for descriptor, events in self.poll.poll(0):
                connection = self.connections.get(descriptor)
                if connection:
                    self._advance(connection, events)

    def _begin(self, now):
        if self.idle:
            connection = self.idle.pop()
        elif len(self.connections) < CONNECTION_LIMIT:
            try:
                connection = Connection(self.port)
            except OSError:
                self.waiting.popleft()
                return True
            self.connections[connection.socket.fileno()] = connection
            self.poll.register(connection.socket, select.EPOLLIN)
            connection.events = select.EPOLLIN
        else:
            return False
        request = self.waiting.popleft()
        self.lags.append(now - request.due)
        connection.request, connection.unsent = request, self.requests[request.kind]
        if request.kind in self.leave_after:
            heapq.heappush(self.leaving, (now + self.leave_after[request.kind], id(request), connection, request))
        try:
            connection.send()
        except OSError:
            self._drop(connection)
            return True
        self._watch(connection)
        return True

    def _watch(self, connection):
        events = select.EPOLLIN | (select.EPOLLOUT if connection.unsent else 0)
        if events != connection.events:
            self.poll.modify(connection.socket, events)
            connection.events = events

    def _drop(self, connection):
        self.poll.unregister(connection.socket)
        del self.connections[connection.socket.fileno()]
        connection.socket.close()

    def _advance(self, connection, events):
        if connection.unsent and events & ~select.EPOLLIN:
            try:
                connection.send()
            except OSError:
                connection.unsent = b""  # what was answered is still there to read
            self._watch(connection)
        was_idle = connection.request is None and not connection.unsent
        if events & ~select.EPOLLOUT:
            status, head = connection.receive()
            if status < 0:
                if was_idle:
                    self.idle.remove(connection)
                self._drop(connection)
                return
            if status > 0 and connection.request is not None:
                request, connection.request = connection.request, None
                request.status, request.answered = status, time.monotonic() - self.start
                request.retry_milliseconds = field(head, b"retry-after-ms") or 0
                request.retry_seconds = field(head, b"retry-after") or 0
                if b"\r\nconnection: close" in head:
                    self._drop(connection)
                    return
        if connection.request is None and not connection.unsent and not was_idle:
            self.idle.append(connection)


def percentile(values, share):
    values = sorted(values)
    return values[max(0, -(-len(values) * share // 100) - 1)] if values else float("nan")
