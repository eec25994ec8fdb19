"""Servers that stand in for a replica: one that tells what has reached it, one that is loading for ever, and one whose
connections end just when a second request comes over them."""
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    is_used = False

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        self.server.paths.append(self.path)
        if self.server.ends_used and self.is_used:
            self.close_connection = True
            return
        self.is_used = True
        if self.request_version == "HTTP/1.1" and "Host" not in self.headers:
            status, document = 400, {"detail": "no Host"}
        elif self.server.is_ready:
            status, document = 200, {"path": self.path, "fields": [[k.lower(), v] for k, v in self.headers.items()], "bytes": length}
        else:
            status, document = 503, {"detail": "loading"}
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


class StandIn(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port=0, is_ready=True, ends_used=False):
        super().__init__(("127.0.0.1", port), Handler)
        self.is_ready, self.ends_used, self.paths = is_ready, ends_used, []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        """A balancer that gives up a connection is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    @property
    def port(self):
        return self.server_address[1]

    def count(self, path):
        return sum(seen == path for seen in self.paths)

    def stop(self):
        self.shutdown()
        self.server_close()
