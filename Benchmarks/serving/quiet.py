"""Whether anything else kept the machine busy while a server was measured."""
import os
import time

from machine import Disturbance

OTHERS_LIMIT = 0.05  # of all cores


class Quiet:
    """From when this was made; a load generator counts as ours once it has ended."""

    def __init__(self, server):
        self.server, self.server_seconds, self.started = server, server.cpu_seconds(), time.monotonic()
        self.disturbance = Disturbance()

    def others(self):
        """The share of the cores that others than the server and its load took."""
        server = (self.server.cpu_seconds() - self.server_seconds) / (time.monotonic() - self.started) / os.cpu_count()
        return max(0.0, self.disturbance.share() - server)
