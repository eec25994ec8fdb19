"""Clients that count while a server leaves: SIGTERM loses nothing that was accepted, SIGKILL of one of several only its own.

A request counts as accepted when its connection was, or when it was sent on a connection whose last answer did not say that it
closes. A connection that is refused is nobody's request, and the client goes on with another server, or ends. So is one that
comes to a server after SIGKILL: the kernel takes connections for its listener until that is closed, and nobody is there to accept them.
"""
import argparse
import signal
import sys
import threading
import time

from server import Server, add_arguments, connect, exchange, photo, post, print_table, read_answer

FLAGS = ["--threads", "1", "--drain-delay-seconds", "1"]


class Client(threading.Thread):
    """Sends one request after the other, over one connection as long as the server lets it."""

    def __init__(self, ports, request, one_server=False):
        super().__init__(daemon=True)
        self.ports, self.request, self.one_server = ports, request, one_server
        self.answered, self.refused, self.lost, self.closing = 0, 0, [], 0
        # The port that was killed, once it has been: its losses on connections from before and from after that.
        self.killed, self.unaccepted = None, []
        self.stopping = False

    def run(self):
        turn = 0
        while not self.stopping:
            port = self.ports[turn % len(self.ports)]
            turn += 1
            is_dead = port == self.killed
            try:
                connection = connect(port, 10)
            except ConnectionRefusedError:
                if self.one_server:
                    return
                time.sleep(0.01)
                continue
            with connection:
                self.serve(connection, port, self.unaccepted if is_dead else self.lost)

    def serve(self, connection, port, losses):
        """Sends requests until the connection ends; one that is without an answer then goes into `losses`."""
        while not self.stopping:
            try:
                connection.sendall(self.request)
                status, fields, _ = read_answer(connection)
            except OSError as error:
                losses.append((port, str(error)))
                return
            if status == 0:
                losses.append((port, "the connection ended"))
                return
            self.answered += status == 200
            if status == 503:
                self.refused += 1
                time.sleep(0.02)
            if fields.get("connection") == "close":
                self.closing += 1
                return


def drain_once(binary, request, number):
    server = Server(binary, FLAGS)
    clients = [Client([server.port], request, one_server=True) for _ in range(number)]
    try:
        for client in clients:
            client.start()
        time.sleep(0.4)
        ready = exchange(server.port, b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")[0]
        server.signal(signal.SIGTERM)
        time.sleep(0.3)
        # Not ready any more, and yet a new connection is served.
        unready = exchange(server.port, b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")[0]
        late = exchange(server.port, request)[0]
        code = server.process.wait(20)
        for client in clients:
            client.join(12)
        line = next((line for line in server.lines if "drained:" in line), "")
        return {"ready": ready, "unready": unready, "late": late, "code": code, "line": line,
                "answered": sum(client.answered for client in clients), "closing": sum(client.closing for client in clients),
                "refused": sum(client.refused for client in clients),
                "lost": [loss for client in clients for loss in client.lost]}
    finally:
        server.stop()


def drains(arguments, request, failures):
    rows = []
    for run in range(arguments.runs):
        result = drain_once(arguments.swiftlet, request, arguments.clients)
        rows.append([str(run + 1), result["answered"], result["refused"], len(result["lost"]), f"{result['ready']}, {result['unready']}",
                     str(result["late"]), str(result["code"]), result["line"].partition("drained: ")[2]])
        bad = result["lost"] or result["code"] or (result["ready"], result["unready"]) != (200, 503)
        if bad or result["late"] not in (200, 503):
            failures.append(f"run {run + 1}: {result}")
    print_table(["run", "answered", "503", "lost", "/readyz before, after", "new connection", "exit", "drained"], rows)
    good = arguments.runs - len(failures)
    print(f"SIGTERM under load from {arguments.clients} keep-alive clients: nothing lost in {good} of {arguments.runs} runs")


def kills(arguments, request, failures):
    """Three servers, one killed: the clients of the others lose nothing, and its own lose what it had in hand, once."""
    servers = [Server(arguments.swiftlet, FLAGS) for _ in range(3)]
    try:
        ports = [server.port for server in servers]
        # Half of them are another server's alone; the rest go to each in turn when a connection ends.
        clients = [Client([ports[index % 3]] if index < 6 else ports[index % 3:] + ports[:index % 3], request)
                   for index in range(arguments.clients)]
        for client in clients:
            client.start()
        time.sleep(0.7)
        servers[0].signal(signal.SIGKILL)
        # Who connects from here on does so to nobody.
        for client in clients:
            client.killed = ports[0]
        time.sleep(0.7)
        for client in clients:
            client.stopping = True
        for client in clients:
            client.join(12)
        own = [loss for client in clients for loss in client.lost if loss[0] == ports[0]]
        others = [loss for client in clients for loss in client.lost if loss[0] != ports[0]]
        connected = sum(index % 3 == 0 for index in range(arguments.clients))
        answered = sum(client.answered for client in clients)
        unaccepted = [loss for client in clients for loss in client.unaccepted]
        print(f"SIGKILL of one of three: {len(own)} requests lost of its {connected} clients, {len(others)} of the others; "
              f"{len(unaccepted)} connections that nobody accepted; {answered} answered")
        # Each client has one request in hand, and comes again to the dead listener once before that is closed.
        if others or len(own) > connected or len(unaccepted) > connected:
            failures.append(f"SIGKILL: lost {own}, {others}, not accepted {unaccepted}")
    finally:
        for server in servers:
            server.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--clients", type=int, default=12)
    arguments = parser.parse_args()
    request, failures = post(photo(arguments.photo)), []
    drains(arguments, request, failures)
    for _ in range(arguments.kills):
        kills(arguments, request, failures)
    for failure in failures:
        print(f"FAILED: {failure}")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
