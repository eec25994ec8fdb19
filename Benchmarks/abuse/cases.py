"""What a hostile client does. Each case is a class: `prepare` once, then `act` again and again while normal requests are counted.

`answers` counts by status; 0 stands for a connection that ended without one. `expected` are the answers that may come, and a case
without answers has none.
"""
import resource
import select
import socket
import time
from collections import Counter

import pictures
from server import connect, exchange, post

HEAD = b"POST /v1/classify HTTP/1.1\r\nHost: a\r\n"


class Case:
    name, expected = "", ()
    pause = 0.2  # between two acts
    flags = ()  # of the server

    def __init__(self, port, jpeg):
        self.port, self.jpeg, self.answers, self.connections = port, jpeg, Counter(), []
        self.prepare()

    def prepare(self):
        pass

    def act(self):
        raise NotImplementedError

    def send(self, request):
        self.answers[exchange(self.port, request, 20)[0]] += 1

    def open(self, count, first=b"", buffer=None):
        """Connections that are kept, each with some bytes sent."""
        for _ in range(count):
            connection = socket.socket()
            if buffer:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            connection.connect(("127.0.0.1", self.port))
            if first:
                connection.sendall(first)
            self.connections.append(connection)

    def drip(self, data=b"a"):
        """A byte on each connection; an answer that has come is counted, and the connection opened anew."""
        readable = set(select.select(self.connections, [], [], 0)[0])
        for connection in list(self.connections):
            try:
                if connection in readable:
                    answer = connection.recv(4096)
                    self.answers[int(answer[9:12]) if answer[:5] == b"HTTP/" else 0] += 1
                    raise ConnectionError
                connection.send(data)
            except OSError:
                self.connections.remove(connection)
                connection.close()

    def close(self):
        for connection in self.connections:
            connection.close()


class SlowHeaders(Case):
    """200 connections send a byte of their header now and then."""
    name, expected = "slow-headers", (408,)
    flags = ("--header-timeout-seconds", "3")

    def prepare(self):
        self.open(200, HEAD + b"X-A: ")

    def act(self):
        self.drip()
        if len(self.connections) < 200:
            self.open(200 - len(self.connections), HEAD + b"X-A: ")


class SlowBody(Case):
    """200 connections promise 100 kB and send a byte now and then."""
    name, expected = "slow-body", (408, 503)
    flags = ("--body-timeout-seconds", "3")
    first = HEAD + b"Content-Length: 100000\r\n\r\n"

    def prepare(self):
        self.open(200, self.first)

    def act(self):
        self.drip()
        if len(self.connections) < 200:
            self.open(200 - len(self.connections), self.first)


class SlowReader(Case):
    """50 connections ask for all they can, with small windows, and read a byte now and then."""
    name, expected = "slow-reader", ()
    request = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 20

    def prepare(self):
        self.open(50, self.request, buffer=4096)

    def act(self):
        for connection in list(self.connections):
            try:
                connection.setblocking(False)
                if not connection.recv(1):
                    raise ConnectionError
            except BlockingIOError:
                pass
            except OSError:
                self.connections.remove(connection)
                connection.close()
                self.open(1, self.request, buffer=4096)


class HalfOpen(Case):
    """50 connections a time send half a request, or a whole one, and are gone: no answer can reach them."""
    name, expected = "half-open", ()

    def act(self):
        for index in range(50):
            with connect(self.port) as connection:
                request = post(self.jpeg)
                connection.sendall(request[:len(request) // 2] if index % 2 else HEAD)
                # Closes with a reset.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.answers["gone"] += 1


class Idle(Case):
    """5,000 connections that say nothing, or as many as there may be."""
    name, expected = "idle", ()

    def prepare(self):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.open(min(5000, hard - 200))
        self.answers["open"] = len(self.connections)

    def act(self):
        pass


class Pipelined(Case):
    """10,000 requests at once on one connection."""
    name, expected = "pipelined", (200,)
    pause = 1.0

    def act(self):
        request = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"
        with connect(self.port) as connection:
            connection.setblocking(False)
            unsent, received, head = memoryview(request * 10_000), 0, b""
            end = time.monotonic() + 20
            while received < 10_000 and time.monotonic() < end:
                _, writable, _ = select.select([connection], [connection] if unsent else [], [], 1)
                if writable:
                    unsent = unsent[connection.send(unsent):]
                try:
                    data = connection.recv(1 << 18)
                except BlockingIOError:
                    continue
                if not data:
                    break
                head = head[-11:] + data
                received += head.count(b"HTTP/1.1 200")
                head = data
            self.answers[200] += received


class LongHeader(Case):
    """A header of 1 MiB."""
    name, expected = "long-header", (431,)

    def prepare(self):
        self.request = HEAD + b"X-A: " + b"a" * (1 << 20) + b"\r\n\r\n"

    def act(self):
        self.send(self.request)


class ManyFields(Case):
    """A header of 1 MiB in short fields."""
    name, expected = "many-fields", (431,)

    def prepare(self):
        self.request = HEAD + b"A: b\r\n" * (1 << 18) + b"\r\n"

    def act(self):
        self.send(self.request)


class Picture(Case):
    """A picture that is small and costs much; `file` makes it."""
    fields = ()
    pause = 0.5

    def prepare(self):
        self.request = post(self.file(), self.fields)

    def act(self):
        self.send(self.request)


class PNGBomb(Picture):
    """A PNG of 400 megapixels that are all the same."""
    name, expected = "png-bomb", (413, 422)
    file = staticmethod(lambda: pictures.png_header_only(20_000, 20_000))


class PNGWithinLimits(Picture):
    """An interlaced PNG of 49 megapixels in 190 kB, which the limit of pixels lets pass."""
    name, expected = "png-large", (200, 413, 503)
    file = staticmethod(lambda: pictures.png(7000, 7000, interlaced=True))


class WebPBomb(Picture):
    """A WebP of 268 megapixels in 30 bytes."""
    name, expected = "webp-bomb", (413, 422)
    file = staticmethod(lambda: pictures.webp(16_383, 16_383))


class WebPWithinLimits(Picture):
    """A WebP of 49 megapixels in 30 bytes, which the limit of pixels lets pass."""
    name, expected = "webp-large", (200, 413, 503)
    file = staticmethod(lambda: pictures.webp(7000, 7000))


class GzipBomb(Picture):
    """A body of 1 GiB in 1 MB."""
    name, expected = "gzip-bomb", (413,)
    fields = ("Content-Encoding: gzip",)
    file = staticmethod(lambda: pictures.gzip_bomb(1 << 30))


class ManyScans(Picture):
    """A progressive JPEG of 4 megapixels with a thousand scans."""
    name, expected = "scans", (413,)
    file = staticmethod(lambda: pictures.progressive_jpeg(2048, 2048, 1000))


class ManyCoefficients(Picture):
    """A progressive JPEG whose coefficients would take 157 MB."""
    name, expected = "coefficients", (413,)
    file = staticmethod(lambda: pictures.progressive_jpeg(5120, 5120, 2, components=3))


ALL = {of.name: of for of in (
    SlowHeaders, SlowBody, SlowReader, HalfOpen, Idle, Pipelined, LongHeader, ManyFields, PNGBomb, PNGWithinLimits, WebPBomb,
    WebPWithinLimits, GzipBomb, ManyScans, ManyCoefficients)}
