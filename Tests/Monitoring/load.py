"""Clients of every kind: good ones, more of them than can be carried, and those that send what cannot be answered."""
import collections
import http.client
import json
import os
import socket
import ssl
import threading

FLOOD = 48
BODY_LIMIT = 1 << 20
# What the clients must have met, each at the server where it is sent.
KINDS = {(place, status) for place in ("plain", "secure") for status in (200, 404, 405, 413, 415, 422)}
KINDS |= {("plain", 503), ("plain", "left"), ("secure", "distrusted"), ("secure", "spoken to plainly")}


class Load:
    def __init__(self, plain, secure, authority, photo):
        self.photo, self.counts, self.stopping = photo, collections.Counter(), threading.Event()
        self.lock = threading.Lock()
        context = ssl.create_default_context(cafile=authority)
        connect_plain = lambda: http.client.HTTPConnection("127.0.0.1", plain.port, timeout=20)  # noqa: E731
        connect_secure = lambda: http.client.HTTPSConnection("127.0.0.1", secure.port, timeout=20, context=context)  # noqa: E731
        infer = json.dumps({"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": ["bm8="]}]}).encode()
        good = [("POST", path, photo) for path in ("/v1/classify", "/v1/classify?model=efficientnet-lite0-int8", "/v1/embed")]
        good += [("GET", "/v1/models", None), ("GET", "/v2", None)]
        bad = [("POST", "/v1/classify", photo[:5000] + os.urandom(3000)), ("POST", "/v1/classify", b"no image"),
               ("POST", "/v1/classify", bytes(BODY_LIMIT + 1)), ("POST", "/v1/classify?model=nowhere", photo),
               ("POST", "/v2/models/efficientnet-lite0/infer", infer), ("GET", "/nowhere", None), ("DELETE", "/v1/classify", None)]
        work = [(self._repeat, "plain", connect_plain, [("POST", "/v1/classify", photo)], 0.005) for _ in range(FLOOD)]
        work += [(self._repeat, "plain", connect_plain, bad, 0.02), (self._repeat, "plain", connect_plain, good, 0.02),
                 (self._repeat, "secure", connect_secure, good, 0.02), (self._repeat, "secure", connect_secure, bad, 0.1)]
        work += [(self._leave, plain.port), (self._distrust, secure.port), (self._speak_plainly, secure.port)]
        self.threads = [threading.Thread(target=task, args=arguments, daemon=True) for task, *arguments in work]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(25)

    def _count(self, place, what):
        with self.lock:
            self.counts[place, what] += 1

    def _repeat(self, place, connect, requests, pause):
        connection = connect()
        while not self.stopping.is_set():
            for method, path, body in requests:
                try:
                    connection.request(method, path, body)
                    answer = connection.getresponse()
                    answer.read()
                    self._count(place, answer.status)
                except (OSError, http.client.HTTPException):
                    # Who is refused before all was sent may find the connection closed.
                    self._count(place, "closed")
                    connection.close()
                self.stopping.wait(pause)
        connection.close()

    def _leave(self, port):
        """Before the answer."""
        while not self.stopping.wait(0.5):
            with socket.create_connection(("127.0.0.1", port), 20) as connection:
                head = f"POST /v1/classify HTTP/1.1\r\nHost: a\r\nContent-Length: {len(self.photo)}\r\n\r\n"
                connection.sendall(head.encode() + self.photo)
            self._count("plain", "left")

    def _distrust(self, port):
        """The certificate, as its authority is not known."""
        while not self.stopping.wait(0.5):
            try:
                with socket.create_connection(("127.0.0.1", port), 20) as connection:
                    ssl.create_default_context().wrap_socket(connection, server_hostname="localhost")
            except ssl.SSLError:
                self._count("secure", "distrusted")

    def _speak_plainly(self, port):
        """To a port that speaks TLS."""
        while not self.stopping.wait(0.5):
            with socket.create_connection(("127.0.0.1", port), 20) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                connection.recv(4096)
            self._count("secure", "spoken to plainly")


def reload_broken_model(port):
    """Of the repository's routes at the admin address; it cannot be loaded."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", "/v2/repository/models/broken/load", b"{}")
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status
