"""The program under test, with a host that takes mail from it (sink.test) and one that hangs (dead.test)."""
import atexit
import json
import os
import pathlib
import shutil
import signal
import socket
import socketserver
import subprocess
import threading
import time

import load

ROOT = pathlib.Path(__file__).resolve().parents[2]
FACTEUR = os.environ.get("FACTEUR", str(ROOT / "build/release/facteur"))
# Below the range that systems give out by themselves; runs side by side get different ones.
BASE_PORT = int(os.environ.get("FACTEUR_TEST_PORT", 24000 + os.getpid() % 280 * 30))
PROTOCOLS = ("exchanger", "lmtp", "submission", "imap", "pop3")


class Sink(socketserver.ThreadingTCPServer):
    """Takes all mail and remembers the numbers. A sink that hangs accepts connections and says nothing."""
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port, hangs=False):
        self.got, self.lock, self.hangs = {}, threading.Lock(), hangs
        super().__init__(("127.0.0.1", port), Session)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # The server was killed in the middle.


class Session(socketserver.StreamRequestHandler):
    def handle(self):
        if self.server.hangs:
            self.rfile.read()
            return
        self.say("220 sink")
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                self.say("354 go on")
                number = None
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    if line.startswith(b"X-Number: "):
                        number = int(line[10:])
                if not line:
                    return
                with self.server.lock:
                    self.server.got[number] = self.server.got.get(number, 0) + 1
            self.say("221 bye" if verb == b"QUIT" else "250 sink")
            if verb == b"QUIT":
                return

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")


class Server:
    def __init__(self, home, data=None, more=""):
        self.home = pathlib.Path(home)
        self.home.mkdir(parents=True, exist_ok=True)
        self.data = pathlib.Path(data or self.home / "data")
        self.config = self.home / "facteur.toml"
        self.log = self.home / "log"
        self.ports = {name: BASE_PORT + i for i, name in enumerate(PROTOCOLS)}
        self.sink = Sink(BASE_PORT + 20)
        self.dead = Sink(BASE_PORT + 21, hangs=True)
        text = [f'hostname = "mx.{load.DOMAIN}"', f'domains = ["{load.DOMAIN}"]',
                f'postmaster = "smtp@{load.DOMAIN}"', "[server]", f'data = "{self.data}"', 'processes = "one"', 'log_level = "warning"',
                # Passwords cost little here: hundreds of lives log in anew.
                "[directory]", "argon2_memory = 8388608", "argon2_passes = 1",
                "[limits]", "connections_per_address = 1000", "messages_per_connection = 1000000", more,
                "[delivery]", "allow_loopback = true"]
        for domain, port in (("sink.test", BASE_PORT + 20), ("dead.test", BASE_PORT + 21)):
            text += ["[[delivery.route]]", f'domains = ["{domain}"]', 'host = "127.0.0.1"', f"port = {port}"]
        for name, port in self.ports.items():
            text += ["[[listener]]", 'address = "127.0.0.1"', f"port = {port}", f'protocol = "{name}"', 'tls = "none"']
            if name in ("submission", "imap", "pop3"):
                text += ["plaintext_login = true"]
        self.config.write_text("\n".join(text) + "\n")
        self.process = None
        atexit.register(self.kill)

    def facteur(self, *arguments, stdin=None):
        done = subprocess.run([FACTEUR, *arguments, "-c", str(self.config)], input=stdin, text=True,
                              capture_output=True, timeout=120)
        if done.returncode != 0:
            raise AssertionError(f"facteur {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def start(self, prefix=(), limit=30):
        """Starts and waits for greetings on all ports; how many seconds that took."""
        begin = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*prefix, FACTEUR, "serve", "-c", str(self.config)], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        for name in reversed(PROTOCOLS):
            while True:
                if self.process.poll() is not None:
                    raise AssertionError("facteur ended at start:\n" + self.log.read_text()[-2000:])
                try:
                    with socket.create_connection(("127.0.0.1", self.ports[name]), 5) as probe:
                        probe.settimeout(10)
                        if probe.recv(1):
                            break
                except OSError:
                    pass
                if time.monotonic() - begin > limit:
                    raise AssertionError(f"not ready after {limit} s")
                time.sleep(0.005)
        return time.monotonic() - begin

    def add_accounts(self):
        for name in load.MAILBOXES:
            self.facteur("account", "add", f"{name}@{load.DOMAIN}", stdin=load.PASSWORD + "\n")

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(30)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
        return self.process.returncode if self.process else 0

    def waiting(self):
        """The addresses of all recipients in the queue."""
        out = []
        for entry in json.loads(self.facteur("queue", "list", "--json")):
            out += [recipient["address"] for recipient in entry["recipients"]]
        return out

    def check(self, ledger, queue=True):
        """Everything the ledger knows against everything that is there."""
        problems, extra = [], 0
        for user in load.MAILBOXES:
            found, more = load.check_mailbox(ledger, user, load.look(self, user))
            problems += found
            extra += more
        if queue:
            waiting = self.waiting()
            with self.sink.lock:
                sunk = dict(self.sink.got)
            found, more = load.check_queue(ledger, waiting, sunk)
            problems += found
            extra += more
        return problems, extra

    def close(self):
        self.kill()
        for sink in (self.sink, self.dead):
            sink.shutdown()
            sink.server_close()
        shutil.rmtree(self.home, ignore_errors=True)


def run_load(server, ledger, seed, seconds, then):
    """Load for `seconds`, then calls `then` while it goes on; the workers are told to stop, and gone, at the end."""
    crew = load.workers(server, ledger, seed)
    for worker in crew:
        worker.start()
    time.sleep(seconds)
    then()
    for worker in crew:
        worker.stopping = True
    for worker in crew:
        worker.join(60)
        if worker.crash:
            raise worker.crash
        if worker.is_alive():
            raise AssertionError("a client hangs")
