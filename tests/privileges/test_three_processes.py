"""The keeper, the server and the keys: who they are, what they hold, and that they survive each other (S80 to S82)."""
import contextlib
import imaplib
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))
import harness  # noqa: E402
from harness import PASSWORD, Server, free_ports, wait_for  # noqa: E402
from test_one_process import descriptors, status_of  # noqa: E402

ROLES = ("facteur-server", "facteur-keys")


def roles_of(keeper):
    """The processes a keeper has started: name -> pid. Only when both run."""
    found = {}
    for one in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError, KeyError):
            if one.name.isdigit() and (status := status_of(one.name))["PPid"] == str(keeper):
                found[status["Name"]] = int(one.name)
    return found if all(role in found for role in ROLES) else None


def client_context():
    made = ssl.create_default_context()
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def shake_hands(port, session=None, version=None):
    """One TLS connection: the certificate, and the session to resume."""
    context = client_context()
    if version:
        context.minimum_version = context.maximum_version = version
    with socket.create_connection(("127.0.0.1", port), 20) as plain:
        with context.wrap_socket(plain, server_hostname="mx.example.org", session=session) as secure:
            secure.recv(1000)
            return secure.getpeercert(True)


def self_signed(folder, name, kind="ec"):
    how = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "ec" else ["-newkey", "rsa:2048"]
    subprocess.run(["openssl", "req", "-x509", *how, "-nodes", "-keyout", folder / "new.key", "-out",
                    folder / "new.crt", "-days", "60", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"],
                   check=True, capture_output=True)
    (folder / "new.key").chmod(0o600)
    for end in ("crt", "key"):
        (folder / f"new.{end}").rename(folder / f"own.{end}")


def private_numbers(key_file):
    """What an attacker looks for: the private number of an EC key or those of an RSA key, in both byte orders (as
    libraries keep them in memory), and the private part of the file's text."""
    text = subprocess.run(["openssl", "pkey", "-in", key_file, "-noout", "-text"], check=True, capture_output=True,
                          text=True).stdout
    found = []
    for name in ("priv", "prime1", "prime2", "privateExponent"):
        for digits in re.findall(rf"^{name}:\n((?:    [0-9a-f:]+\n?)+)", text, re.M):
            number = bytes.fromhex(re.sub(r"[\s:]", "", digits)).lstrip(b"\0")
            found += [number, number[::-1]]
    body = "".join(pathlib.Path(key_file).read_text().splitlines()[1:-1])
    middle = 50 if len(body) < 300 else len(body) // 2  # Behind what is public.
    return found + [body[middle:middle + 38].encode()]


def memory_of(pid):
    """All that can be read of a process's memory."""
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
            area, rights = line.split()[:2]
            begin, end = (int(x, 16) for x in area.split("-"))
            if rights[0] != "r" or end - begin > 1 << 30 or begin >= 1 << 47:
                continue
            with contextlib.suppress(OSError, ValueError):
                memory.seek(begin)
                yield memory.read(end - begin)


def holds(pid, numbers):
    return any(number in part for part in memory_of(pid) for number in numbers)


class ThreeProcesses(unittest.TestCase):
    """As root, with another user for the server."""

    kind = "ec"

    @classmethod
    def setUpClass(cls):
        if os.getuid() != 0:
            raise unittest.SkipTest("needs root")
        cls.tls = pathlib.Path(tempfile.mkdtemp(prefix="facteur-tls-"))
        self_signed(cls.tls, "mx.example.org", cls.kind)
        before, harness.PROCESSES = harness.PROCESSES, "three"
        try:
            cls.server = Server(more=f'[[tls.certificate]]\ncertificate = "{cls.tls}/own.crt"\nkey = "{cls.tls}/own.key"\n')
        finally:
            harness.PROCESSES = before
        cls.keeper = cls.server.process.pid

    @classmethod
    def tearDownClass(cls):
        status = cls.server.close()
        shutil.rmtree(cls.tls)
        if status != 0:
            raise AssertionError(f"facteur ended with status {status}")

    def setUp(self):
        self.roles = wait_for(lambda: roles_of(self.keeper))

    def events(self, name):
        lines = [json.loads(line) for line in self.server.log.read_text().splitlines()]
        return [line for line in lines if line["event"] == name]

    def killed(self, role):
        """Kills a role; its new pid."""
        old = self.roles[role]
        os.kill(old, signal.SIGKILL)
        return wait_for(lambda: (now := roles_of(self.keeper)) and now[role] != old and now)[role]

    def test_S80_who_they_are(self):
        user = pwd.getpwnam(harness.USER)
        server, keys = (status_of(self.roles[role]) for role in ROLES)
        keeper = status_of(self.keeper)
        self.assertEqual(server["Uid"].split(), [str(user.pw_uid)] * 4)
        self.assertEqual(server["Gid"].split(), [str(user.pw_gid)] * 4)
        for status in (server, keys):
            self.assertEqual((status["Seccomp"], status["NoNewPrivs"]), ("2", "1"))
            for held in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
                self.assertEqual(int(status[held], 16), 0, held)
        # setuid, setgid, kill, net_bind_service: what a keeper needs.
        self.assertEqual(int(keeper["CapEff"], 16), 1 << 5 | 1 << 6 | 1 << 7 | 1 << 10)
        self.assertEqual(keeper["NoNewPrivs"], "1")
        for task in pathlib.Path(f"/proc/{self.roles['facteur-server']}/task").iterdir():
            self.assertEqual(status_of(f"{self.roles['facteur-server']}/task/{task.name}")["Seccomp"], "2")
        shown = json.loads(self.server.facteur("--json", "status"))
        self.assertEqual(shown["roles"], "keeper, server, keys")

    def test_S80_no_private_key_in_the_memory_of_the_server(self):
        """Searched after handshakes of both versions; the same search finds it in the keys."""
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            shake_hands(self.server.imaps, version=version)
        numbers = private_numbers(self.tls / "own.key")
        self.assertGreaterEqual(len(numbers), 3)
        self.assertTrue(holds(self.roles["facteur-keys"], numbers))
        self.assertFalse(holds(self.roles["facteur-server"], numbers))
        self.assertFalse(holds(self.keeper, numbers))

    def test_S80_the_mail_is_the_users_and_the_keys_are_roots(self):
        self.assertEqual((self.server.data / "log").stat().st_uid, pwd.getpwnam(harness.USER).pw_uid)
        keys = (self.server.data / "keys").stat()
        self.assertEqual((keys.st_uid, keys.st_mode & 0o777), (0, 0o700))

    def test_S82_each_holds_only_its_descriptors(self):
        keys = descriptors(self.roles["facteur-keys"])
        for number, where in keys.items():
            self.assertTrue(number <= 2 or where.startswith(("socket:", "anon_inode:")) or
                            where == str(self.server.data), where)
        server = descriptors(self.roles["facteur-server"])
        for number, where in server.items():
            self.assertFalse(where.startswith(str(self.tls)) or "/keys" in where or where.endswith("/facteur"), where)
        self.assertNotIn("FACTEUR_ROLE", pathlib.Path(f"/proc/{self.keeper}/environ").read_text())

    def test_a_server_that_is_killed_starts_again_and_nobody_is_refused(self):
        stop, refused, served = threading.Event(), [], []

        def knock():
            while not stop.is_set():
                try:
                    with smtplib.SMTP("127.0.0.1", self.server.smtp, timeout=20) as client:
                        client.noop()
                    served.append(1)
                except ConnectionRefusedError as error:
                    refused.append(error)
                except (OSError, smtplib.SMTPException):
                    pass  # It was open when the server died.

        knocking = threading.Thread(target=knock)
        knocking.start()
        for _ in range(3):
            before = len(served)
            self.killed("facteur-server")
            wait_for(lambda: len(served) > before + 2)
            self.roles = wait_for(lambda: roles_of(self.keeper))
        stop.set()
        knocking.join()
        self.assertEqual(refused, [])
        self.server.deliver("Subject: after\r\n\r\nall that\r\n")
        ended = self.events("process_ended")
        self.assertGreaterEqual(len(ended), 3)
        self.assertEqual((ended[-1]["role"], ended[-1]["signal"]), ("server", 9))
        # The first of them at once, the next ones later and later.
        self.assertEqual(ended[0]["starts_again_in_ms"], 0)
        self.assertGreater(ended[-1]["starts_again_in_ms"], 0)

    def test_keys_that_are_killed_start_again_and_open_sessions_go_on(self):
        with imaplib.IMAP4_SSL("127.0.0.1", self.server.imaps, ssl_context=client_context()) as client:
            client.login(self.server.address("anne"), PASSWORD)
            self.killed("facteur-keys")
            self.assertEqual(client.select()[0], "OK")
            shake_hands(self.server.imaps)
            self.assertEqual(client.noop()[0], "OK")

    def test_a_session_is_resumed_without_the_keys(self):
        """The keys are stopped (SIGSTOP): a full handshake must wait for them, a resumed one not."""
        context = client_context()

        def connect(session=None, timeout=20):
            with socket.create_connection(("127.0.0.1", self.server.imaps), timeout) as plain:
                with context.wrap_socket(plain, session=session) as secure:
                    secure.recv(1000)
                    return secure.session, secure.session_reused

        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.maximum_version = version
            session, reused = connect()
            self.assertFalse(reused)
            keys = self.roles["facteur-keys"]
            os.kill(keys, signal.SIGSTOP)
            try:
                self.assertTrue(connect(session, 2)[1], version)
                with self.assertRaises(OSError):
                    connect(None, 0.5)
            finally:
                os.kill(keys, signal.SIGCONT)
            self.assertFalse(connect()[1])

    def test_certificates_and_ports_change_without_a_connection_lost(self):
        """SIGHUP to the keeper, and facteur reload: the same way."""
        config = self.server.config.read_text()
        self.addCleanup(self.server.config.write_text, config)
        for ask in (lambda: os.kill(self.keeper, signal.SIGHUP), lambda: self.server.facteur("reload")):
            old = shake_hands(self.server.imaps)
            port, = free_ports(1)
            with imaplib.IMAP4_SSL("127.0.0.1", self.server.imaps, ssl_context=client_context()) as client:
                client.login(self.server.address("anne"), PASSWORD)
                self_signed(self.tls, "mx.example.org", self.kind)
                self.server.config.write_text(config + f'\n[[listener]]\naddress = "127.0.0.1"\nport = {port}\n'
                                              'protocol = "imap"\ntls = "implicit"\n')
                ask()
                wait_for(lambda: harness.listens(port) and shake_hands(port) != old)
                self.assertEqual(shake_hands(self.server.imaps), shake_hands(port))
                self.assertEqual(client.select()[0], "OK")
                # A file that is bad changes nothing, and leaves no port open that nobody serves.
                never, = free_ports(1)
                self.server.config.write_text(config.replace('user = "', 'colour = "') + "\n")
                before = len(self.events("configuration_not_reloaded"))
                os.kill(self.keeper, signal.SIGHUP)
                wait_for(lambda: len(self.events("configuration_not_reloaded")) > before)
                self.server.config.write_text(config + f'\n[[listener]]\naddress = "127.0.0.1"\nport = {never}\n'
                                              f'protocol = "imap"\n[[tls.certificate]]\ncertificate = "{self.tls}/no"\n'
                                              f'key = "{self.tls}/no"\n')
                with self.assertRaisesRegex(AssertionError, f"A file cannot be read: {self.tls}/no"):
                    self.server.facteur("reload")
                wait_for(lambda: len(self.events("configuration_not_reloaded")) == before + 2)
                wait_for(lambda: not harness.listens(never))
                shake_hands(port)
                # And what is not wanted any more is closed.
                self.server.config.write_text(config)
                self.server.facteur("reload")
                wait_for(lambda: not harness.listens(port))
                self.assertEqual(client.noop()[0], "OK")
        self.assertEqual(self.events("process_ended"), [e for e in self.events("process_ended") if "signal" in e])

    def test_a_file_that_is_edited_wrongly_stops_nobody(self):
        """Server and keys start anew with the last good configuration; what is wrong with the file is told each time."""
        config = self.server.config.read_text()
        self.addCleanup(self.server.config.write_text, config)
        self.server.config.write_text(config + "\n[limits]\nrecipents = 5\n")
        line = config.count("\n") + 3
        before = len(self.events("configuration_kept"))
        for role in ROLES:
            self.killed(role)
            self.roles = wait_for(lambda: roles_of(self.keeper))
        shake_hands(self.server.imaps)
        self.server.deliver("Subject: all the same\r\n\r\nx\r\n")
        told = self.events("configuration_kept")[before:]
        self.assertEqual([event["role"] for event in told], ["server", "keys"])
        for event in told:
            self.assertIn(f"facteur.toml:{line}: ", event["problems"])
            self.assertIn("recipients", event["problems"])  # What may have been meant.
        with self.assertRaisesRegex(AssertionError, f"facteur.toml:{line}: "):
            self.server.facteur("reload")
        # Nobody starts from nothing with it, and all of it is said.
        done = subprocess.run([harness.FACTEUR, "serve", "-c", self.server.config], capture_output=True, text=True,
                              timeout=20)
        self.assertEqual(done.returncode, 3)
        self.assertIn(f"facteur.toml:{line}: ", done.stderr)
        self.server.config.write_text(config)
        self.server.facteur("reload")
        self.killed("facteur-server")
        self.roles = wait_for(lambda: roles_of(self.keeper))
        self.server.deliver("Subject: and again\r\n\r\nx\r\n")
        self.assertEqual(len(self.events("configuration_kept")), before + 2)

    def test_the_end_of_the_keeper_is_the_end_of_all(self):
        """Killed itself, it leaves nobody behind; the next start has everything."""
        os.kill(self.keeper, signal.SIGKILL)
        self.server.process.wait(10)
        wait_for(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in self.roles.values()))
        self.server.start()
        type(self).keeper = self.server.process.pid
        self.server.deliver("Subject: again\r\n\r\nx\r\n")


class WithRsa(ThreeProcesses):
    """The same with an RSA key, whose signatures have two ways (PSS in TLS 1.3, PKCS#1 in TLS 1.2)."""

    kind = "rsa"
    # What does not depend on the kind of key is not repeated.
    test_S80_who_they_are = test_S82_each_holds_only_its_descriptors = None
    test_S80_the_mail_is_the_users_and_the_keys_are_roots = None
    test_a_server_that_is_killed_starts_again_and_nobody_is_refused = None
    test_a_file_that_is_edited_wrongly_stops_nobody = None
    test_keys_that_are_killed_start_again_and_open_sessions_go_on = None
    test_certificates_and_ports_change_without_a_connection_lost = None
    test_the_end_of_the_keeper_is_the_end_of_all = None


class OneUser(unittest.TestCase):
    """As in the systemd unit: all three run as one user who is not root; Landlock keeps the server from the keys."""

    def setUp(self):
        if os.getuid() != 0:
            self.skipTest("needs root to become somebody else")
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="facteur-privileges-"))
        self.addCleanup(shutil.rmtree, self.home)
        shutil.copy(harness.FACTEUR, self.home / "facteur")
        user = pwd.getpwnam(harness.USER)
        self.port, = free_ports(1)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.notify.close)
        self.notify.bind(str(self.home / "notify"))
        self.notify.settimeout(20)
        (self.home / "notify").chmod(0o666)
        (self.home / "facteur.toml").write_text(
            'hostname = "mx.example.org"\ndomains = ["example.org"]\npostmaster = "a@example.org"\n'
            f'[server]\ndata = "{self.home}/data"\n[[listener]]\naddress = "127.0.0.1"\nport = {self.port}\n'
            'protocol = "imap"\ntls = "implicit"\n')
        for path in (self.home, self.home / "facteur", self.home / "facteur.toml"):
            os.chown(path, user.pw_uid, user.pw_gid)
        self.user = user
        log = open(self.home / "log", "w")
        self.addCleanup(log.close)
        self.process = subprocess.Popen(
            [self.home / "facteur", "serve", "-c", self.home / "facteur.toml"], user=user.pw_uid, group=user.pw_gid,
            extra_groups=[], stdin=subprocess.DEVNULL, stderr=log,
            env={"PATH": "/usr/bin:/bin", "NOTIFY_SOCKET": str(self.home / "notify"), "WATCHDOG_USEC": "60000000"})
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)

    def told(self, what):
        """Waits until the service manager is told this."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if self.notify.recv(200) == what:
                return
        self.fail(f"never told: {what}")

    def test_S80_without_root(self):
        """automatic: a service manager is there, and Landlock."""
        self.told(b"WATCHDOG=1")
        self.told(b"READY=1")
        roles = wait_for(lambda: roles_of(self.process.pid))
        for pid in (self.process.pid, *roles.values()):
            self.assertEqual(status_of(pid)["Uid"].split(), [str(self.user.pw_uid)] * 4)
        for pid in roles.values():
            self.assertEqual(status_of(pid)["Seccomp"], "2")
        shake_hands(self.port)
        numbers = private_numbers(self.home / "data/keys/self-signed.key")
        self.assertTrue(holds(roles["facteur-keys"], numbers))
        self.assertFalse(holds(roles["facteur-server"], numbers))
        # The same user cannot look into them from outside either.
        for pid in roles.values():
            seen = subprocess.run(["cat", f"/proc/{pid}/environ"], user=self.user.pw_uid, group=self.user.pw_gid,
                                  extra_groups=[], capture_output=True)
            self.assertEqual((seen.returncode, seen.stdout), (1, b""))
        os.kill(self.process.pid, signal.SIGTERM)
        self.told(b"STOPPING=1")
        self.assertEqual(self.process.wait(30), 0)
        log = (self.home / "log").read_text()
        self.assertNotIn("system_call_refused", log)
        self.assertNotIn("missing", log)


class Refused(unittest.TestCase):
    """Starts that would be less than what was asked for."""

    def test_a_wrong_user_or_a_foreign_folder(self):
        if os.getuid() != 0:
            self.skipTest("needs root")
        with tempfile.TemporaryDirectory() as name:
            home = pathlib.Path(name)
            config = home / "facteur.toml"
            (home / "data").mkdir()  # Root's.
            for user, reason in (("root", "must not be root"), ("no-such-user", "there is no user no-such-user"),
                                 (harness.USER, "must belong to")):
                config.write_text('hostname = "mx.example.org"\ndomains = ["example.org"]\npostmaster = "a@example.org"\n'
                                  f'[server]\ndata = "{home}/data"\nprocesses = "three"\nuser = "{user}"\n'
                                  f'[[listener]]\naddress = "127.0.0.1"\nport = {free_ports(1)[0]}\nprotocol = "imap"\n')
                done = subprocess.run([harness.FACTEUR, "serve", "-c", config], capture_output=True, text=True, timeout=20)
                self.assertEqual(done.returncode, 1)
                self.assertIn(reason, done.stderr)


if __name__ == "__main__":
    unittest.main()
