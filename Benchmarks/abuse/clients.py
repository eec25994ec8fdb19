"""Clients of a balancer that count: every request that is sent is answered with 200, or has failed."""
import random
import threading
import time
from collections import Counter

from server import connect, post, read_answer


class Client(threading.Thread):
    """Sends one request after the other; `keeps` says whether over one connection as long as the balancer lets it."""

    def __init__(self, port, request, keeps, pause=0.0):
        super().__init__(daemon=True)
        self.port, self.request, self.keeps, self.pause = port, request, keeps, pause
        self.answered, self.failures, self.slowest = 0, [], 0.0
        self.stopping = False

    def run(self):
        try:
            self._ask()
        except Exception as error:  # a client that ends before it is asked to would count no failure
            self.failures.append((time.monotonic(), repr(error), b""))

    def stop(self):
        """A client that does not come back has failed."""
        self.stopping = True
        self.join(35)
        if self.is_alive():
            self.failures.append((time.monotonic(), "no answer for ever", b""))

    def _ask(self):
        connection = None
        while not self.stopping:
            started = time.monotonic()
            try:
                connection = connection or connect(self.port)
                connection.sendall(self.request)
                status, fields, body = read_answer(connection)
            except OSError as error:
                status, fields, body = str(error), {}, b""
            self.slowest = max(self.slowest, time.monotonic() - started)
            if status == 200:
                self.answered += 1
            else:
                self.failures.append((started, status or "no answer", body[:120]))
            if connection and (status != 200 or not self.keeps or fields.get("connection", "").lower() == "close"):
                connection.close()
                connection = None
            if self.pause:
                time.sleep(random.uniform(0, 2 * self.pause))
        if connection:
            connection.close()


def stop(clients):
    """All at once."""
    for client in clients:
        client.stopping = True
    for client in clients:
        client.stop()


class Load:
    """Photos over kept and over new connections, photos too large for HAProxy to send again, and questions."""

    def __init__(self, port, photo, large):
        closing = ["Connection: close"]
        question = b"GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n"
        self.groups = {
            "kept": [Client(port, post(photo), True) for _ in range(8)],
            "new": [Client(port, post(photo, closing), False) for _ in range(4)],
            "large": [Client(port, post(large), True, 0.05) for _ in range(2)],
            "questions": [Client(port, question, True, 0.02) for _ in range(2)]}
        for client in self.clients:
            client.start()

    @property
    def clients(self):
        return [client for group in self.groups.values() for client in group]

    def stop(self):
        stop(self.clients)

    @property
    def answered(self):
        return sum(client.answered for client in self.clients)

    @property
    def slowest(self):
        return max(client.slowest for client in self.clients)

    def failed(self, *groups):
        return [failure for name in groups or self.groups for client in self.groups[name] for failure in client.failures]

    def complaint(self, *groups):
        """What the failures were, in a few words; that there was no answer at all is one."""
        counts = Counter(f"{status} {body.decode(errors='replace')}".strip() for _, status, body in self.failed(*groups))
        found = [f"{count} × {what}" for what, count in counts.most_common(3)]
        found += [f"nothing answered of {name}" for name in groups or self.groups
                  if not any(client.answered for client in self.groups[name])]
        return "; ".join(found)
