"""The server under test: `facteur serve` with a configuration of its own, on loopback and high ports."""
import contextlib
import os
import pathlib
import random
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FACTEUR = os.environ.get("FACTEUR", str(ROOT / "build/release/facteur"))
PASSWORD = "correct horse"
# The suites can be run with the server apart from its keys, as root: FACTEUR_PROCESSES=three.
PROCESSES = os.environ.get("FACTEUR_PROCESSES", "one")
USER = os.environ.get("FACTEUR_USER", "nobody")


def free_ports(count):
    """Ports nobody listens on now, all different; none of those that the kernel gives to whoever connects, or a client of
    another test may have it when the server wants it."""
    with contextlib.ExitStack() as stack:
        ports = []
        while len(ports) < count:
            one = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                one.bind(("127.0.0.1", random.randrange(10000, 20000)))
                ports.append(one.getsockname()[1])
        return ports


def wait_for(what, seconds=20, every=0.05):
    """Calls `what` until it gives something true; that, or an error after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        got = what()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(f"nothing within {seconds} s")
        time.sleep(every)


def listens(port):
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False


class Server:
    """One `facteur serve`. Attributes: smtp, submission, submissions, lmtp, imap, imaps, pop3, pop3s (ports), data."""

    PROTOCOLS = [("smtp", "exchanger", "starttls"), ("submission", "submission", "starttls"),
                 ("submissions", "submission", "implicit"), ("lmtp", "lmtp", "none"),
                 ("imap", "imap", "starttls"), ("imaps", "imap", "implicit"),
                 ("pop3", "pop3", "starttls"), ("pop3s", "pop3", "implicit")]

    def __init__(self, domain="example.org", more="", accounts=("anne", "paul")):
        self.domain = domain
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="facteur-interop-"))
        self.data = self.home / "data"
        self.config = self.home / "facteur.toml"
        self.log = self.home / "log"
        ports = free_ports(len(self.PROTOCOLS) + 1)
        text = [f'hostname = "mx.{domain}"', f'domains = ["{domain}"]', f'postmaster = "{accounts[0]}@{domain}"', ""]
        listeners = []
        for (name, protocol, tls), port in zip(self.PROTOCOLS, ports):
            setattr(self, name, port)
            listeners += ["[[listener]]", 'address = "127.0.0.1"', f"port = {port}", f'protocol = "{protocol}"', f'tls = "{tls}"',
                          "plaintext_login = true" if tls == "starttls" and protocol != "exchanger" else "", ""]
        self.metrics = ports[-1]
        text += ["[server]", f'data = "{self.data}"', f'processes = "{PROCESSES}"', f'metrics = "127.0.0.1:{self.metrics}"',
                 f'user = "{USER}"', ""]
        if PROCESSES == "three":  # Another user must find the way.
            self.home.chmod(0o755)
        self.config.write_text("\n".join(text) + more + "\n" + "\n".join(listeners))
        self.process = None
        self.start()
        for name in accounts:
            self.facteur("account", "add", f"{name}@{domain}", stdin=PASSWORD + "\n")

    def starts(self):
        """How often the server has said that it has started; a keeper's ports are open before."""
        return self.log.read_text().count('"server_started"') if self.log.exists() else 0

    def start(self):
        before = self.starts()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([FACTEUR, "serve", "-c", self.config], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        wait_for(lambda: self.process.poll() is not None or all(listens(getattr(self, p[0])) for p in self.PROTOCOLS))
        if PROCESSES == "three":
            wait_for(lambda: self.process.poll() is not None or self.starts() > before)
        if self.process.poll() is not None:
            raise AssertionError("facteur ended at start:\n" + self.log.read_text())

    def stop(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(30)
        return self.process.returncode

    def close(self):
        status = self.stop()
        refused = [line for line in self.log.read_text().splitlines() if "system_call_refused" in line]
        if refused:  # The server needs a call that its filter (src/roles/system_calls.cpp) does not know.
            raise AssertionError("\n".join(refused))
        shutil.rmtree(self.home, ignore_errors=True)
        return status

    def facteur(self, *arguments, stdin=None, check=True):
        """Runs a subcommand against this server; its standard output."""
        done = subprocess.run([FACTEUR, *map(str, arguments), "-c", str(self.config)], input=stdin, text=True,
                              capture_output=True, timeout=60)
        if check and done.returncode != 0:
            raise AssertionError(f"facteur {' '.join(map(str, arguments))}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def address(self, name):
        return f"{name}@{self.domain}"

    def deliver(self, text, to="anne", sender="someone@outside.example"):
        """Hands a message in by port 25, as another server would."""
        with smtplib.SMTP("127.0.0.1", self.smtp, local_hostname="client.outside.example", timeout=30) as client:
            client.sendmail(sender, [self.address(to)], text)


def run(*command, stdin=None, check=True, timeout=60, env=None, cwd=None):
    """Runs a client; standard output and error together."""
    done = subprocess.run([str(c) for c in command], input=stdin, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=timeout, cwd=cwd,
                          env=None if env is None else {**os.environ, **env})
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}")
    return done.stdout


class ServerTest(unittest.TestCase):
    """A test class with one server for all its tests."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        status = cls.server.close()
        if status != 0:
            raise AssertionError(f"facteur ended with status {status}")
