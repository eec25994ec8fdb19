"""One abuser beside normal clients: what it is answered, and what is left of the normal clients' rate.

Rates are measured in turn without and with the abuser; the ratio is that of the medians.
"""
import argparse
import multiprocessing
import resource
import statistics
import sys
import threading
import time
import traceback

import limits
from cases import ALL
from server import Server, add_arguments, connect, photo, post, print_table, read_answer

LEAST_RATIO = 0.8


class NormalClients:
    """Closed loop, a thread a connection."""

    def __init__(self, port, request, count):
        self.port, self.request, self.count = port, request, count

    def rate(self, seconds):
        """Answers a second, and how many requests got another answer than 200."""
        counts, others = [0] * self.count, [0] * self.count
        end = time.monotonic() + seconds

        def client(index):
            with connect(self.port) as connection:
                while time.monotonic() < end:
                    connection.sendall(self.request)
                    status = read_answer(connection)[0]
                    counts[index] += status == 200
                    others[index] += status != 200
                    if status == 0:
                        return

        threads = [threading.Thread(target=client, args=(index,)) for index in range(self.count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(counts) / seconds, sum(others)


def abuse(case, port, jpeg, is_acting, is_ready, is_over, answers):
    """Runs in a process of its own."""
    try:
        abuser = ALL[case](port, jpeg)
        is_ready.set()
        while not is_over.is_set():
            if is_acting.wait(0.05):
                abuser.act()
                time.sleep(abuser.pause)
        answers.send(dict(abuser.answers))
        abuser.close()
    except BaseException:
        is_ready.set()
        answers.send(traceback.format_exc())
        raise


def run_case(name, server, jpeg, arguments, failures):
    clients = NormalClients(server.port, post(jpeg), arguments.connections)
    context = multiprocessing.get_context("spawn")
    is_acting, is_ready, is_over = context.Event(), context.Event(), context.Event()
    receiver, sender = context.Pipe(False)
    before, during, wrong = [], [], 0
    clients.rate(0.3)
    # Abuse that lasts, such as open connections, is there from its preparation on: so half of the quiet rounds come before.
    quiet_first = ALL[name].act is not ALL["idle"].act
    if not quiet_first:
        before += [clients.rate(arguments.seconds)[0] for _ in range(arguments.rounds)]
    process = context.Process(target=abuse, args=(name, server.port, jpeg, is_acting, is_ready, is_over, sender))
    process.start()
    is_ready.wait(60)
    resident = [server.megabytes()]
    for _ in range(arguments.rounds):
        if quiet_first:
            before.append(clients.rate(arguments.seconds)[0])
        is_acting.set()
        rate, others = clients.rate(arguments.seconds)
        during.append(rate)
        wrong += others
        is_acting.clear()
        resident.append(server.megabytes())
    is_over.set()
    answers = receiver.recv() if receiver.poll(30) else "it hangs"
    process.join(10)
    if process.is_alive():
        process.kill()
    ratio = statistics.median(during) / statistics.median(before)
    said = answers if isinstance(answers, str) else ", ".join(f"{count} × {status}" for status, count in answers.items())
    row = [name, said.strip().splitlines()[-1] if said else "none", statistics.median(before), statistics.median(during), ratio,
           resident[0], max(resident)]
    if isinstance(answers, str):
        failures.append(f"{name}: {answers}")
    else:
        strange = {status for status in answers if isinstance(status, int)} - set(ALL[name].expected)
        if strange or ALL[name].expected and not answers:
            failures.append(f"{name}: answers {answers}, expected {ALL[name].expected}")
    if wrong:
        failures.append(f"{name}: {wrong} normal requests were not answered with 200")
    if ratio < LEAST_RATIO:
        failures.append(f"{name}: normal requests went down to {ratio:.2f} of their rate")
    if not server.is_running():
        failures.append(f"{name}: the server has died: {server.lines[-3:]}")
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join([*ALL, *limits.ALL])}; all where none is named")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each measurement")
    parser.add_argument("--connections", type=int, default=4, help="of the normal clients")
    arguments = parser.parse_args()
    names = arguments.cases or [*ALL, *limits.ALL]
    for name in names:
        if name not in ALL and name not in limits.ALL:
            parser.error(f"no case is called {name}")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    jpeg, failures, rows = photo(arguments.photo), [], []
    for name in names:
        if name in ALL:
            server = Server(arguments.swiftlet, ["--drain-delay-seconds", "0", *ALL[name].flags])
            try:
                rows.append(run_case(name, server, jpeg, arguments, failures))
            finally:
                server.stop()
            print(f"  {name}: {rows[-1][4]:.2f}", file=sys.stderr, flush=True)
    if rows:
        print_table(["case", "the abuser's answers", "requests/s without", "with", "ratio", "MB before", "most"], rows)
    for name in names:
        if name in limits.ALL:
            limits.ALL[name](arguments, jpeg, failures)
    for failure in failures:
        print(f"FAILED: {failure}")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
