"""What the running program holds and shows: S80 to S83 of the attacks, seen from outside (the escapes themselves are in
src/cli/shelter_test.cpp)."""
import json
import os
import pathlib
import signal
import smtplib
import socket
import stat
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))
from harness import FACTEUR, PASSWORD, Server, ServerTest, wait_for  # noqa: E402


def status_of(pid):
    """The lines of /proc/PID/status."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, value in (line.split(":", 1) for line in lines)}


def descriptors(pid):
    """Where each descriptor of a process leads."""
    folder = pathlib.Path(f"/proc/{pid}/fd")
    return {int(one.name): os.readlink(one) for one in folder.iterdir()}


class Process(ServerTest):
    def test_S80_the_process_has_given_up_what_it_does_not_need(self):
        pid = self.server.process.pid
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            status = status_of(f"{pid}/task/{task.name}")
            self.assertEqual((status["Seccomp"], status["NoNewPrivs"]), ("2", "1"), status["Name"])
        shown = json.loads(self.server.facteur("--json", "status"))
        self.assertRegex(shown["sandbox"], r"^seccomp, landlock [1-9]")
        self.assertEqual(shown["roles"], "one process")

    def test_S80_it_cannot_be_looked_into_by_its_own_user(self):
        """No core file, and /proc/PID belongs to root whoever runs it."""
        pid = self.server.process.pid
        limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
        self.assertRegex(limits, r"Max core file size +0 +0")
        self.assertEqual(os.stat(f"/proc/{pid}/mem").st_uid, 0)

    def test_S81_the_files_are_for_one_user_and_no_name_is_guessed(self):
        self.server.deliver("Subject: one\r\n\r\ntext\r\n")
        for path in [self.server.data, *self.server.data.rglob("*")]:
            mode = path.lstat().st_mode
            self.assertFalse(stat.S_ISLNK(mode), path)
            if stat.S_ISSOCK(mode) or stat.S_ISREG(mode) and path.parent.name != "index":
                self.assertEqual(stat.S_IMODE(mode), 0o600, path)
            elif stat.S_ISDIR(mode):
                self.assertEqual(stat.S_IMODE(mode), 0o700, path)
        self.assertFalse([p for p in self.server.data.rglob("*.pid")])

    def test_S82_only_the_descriptors_that_are_needed(self):
        data = str(self.server.data)
        for number, where in descriptors(self.server.process.pid).items():
            self.assertTrue(number <= 2 or where.startswith((data, "socket:", "anon_inode:", "/memfd:", "pipe:")) or
                            where in ("/dev/null", "/dev/urandom"), where)

    def test_S83_a_line_is_one_line_and_holds_no_secret(self):
        """CR, LF, ESC and U+202E in what strangers say; passwords and content nowhere."""
        secret = "SECRET-in-the-letter"
        evil = "x\x1b[31m\u202e\r\nfake: line"
        with smtplib.SMTP("127.0.0.1", self.server.smtp, timeout=30) as client:
            client.sock.sendall(b"EHLO a\x1b[2J\xe2\x80\xaeb\rc\x00.example\r\n")
            client.getreply()
            client.ehlo("client.outside.example")
            message = f"Subject: {evil.splitlines()[0]}\r\nFrom: \u202e <x@outside.example>\r\n\r\n{secret}\r\n"
            client.sendmail("x@outside.example", [self.server.address("anne")], message.encode(), ["BODY=8BITMIME"])
        import imaplib
        client = imaplib.IMAP4("127.0.0.1", self.server.imap)
        client.starttls()
        for name, word in (("anne\x1b[31m", "wrong-" + secret), (self.server.address("anne"), PASSWORD)):
            try:
                client.login(name, word)
            except imaplib.IMAP4.error:
                pass
        client.logout()
        text = wait_for(lambda: "imap_session_finished" in self.server.log.read_text() and self.server.log.read_bytes())
        self.assertNotIn(secret.encode(), text)
        self.assertNotIn(PASSWORD.encode(), text)
        for line in text.decode("ascii").splitlines():
            self.assertIn("event", json.loads(line))
            self.assertTrue(all(" " <= c <= "~" for c in line), line)


class Starts(unittest.TestCase):
    def setUp(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="facteur-privileges-"))
        self.addCleanup(subprocess.run, ["rm", "-rf", self.home])
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
        self.config = self.home / "facteur.toml"
        self.data = self.home / "data"
        self.config.write_text(f'hostname = "mx.example.org"\ndomains = ["example.org"]\npostmaster = "a@example.org"\n'
                               f'[server]\ndata = "{self.data}"\nprocesses = "one"\n#\n[[listener]]\naddress = "127.0.0.1"\nport = {port}\n'
                               'protocol = "imap"\ntls = "implicit"\n')

    def start(self, **environment):
        started = subprocess.Popen([FACTEUR, "serve", "-c", self.config], stderr=subprocess.PIPE, text=True,
                                   stdin=subprocess.DEVNULL, env={**os.environ, **environment})
        self.addCleanup(started.stderr.close)
        self.addCleanup(started.wait)
        self.addCleanup(started.kill)
        return started

    def test_the_service_manager_is_told(self):
        """sd_notify(3) over a path and over a name of the abstract space."""
        for name in (str(self.home / "notify"), f"@facteur-notify-{os.getpid()}"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                manager.bind(name.replace("@", "\0"))
                manager.settimeout(20)
                started = self.start(NOTIFY_SOCKET=name)
                self.assertEqual(manager.recv(100), b"READY=1")
                started.send_signal(signal.SIGTERM)
                self.assertEqual(manager.recv(100), b"STOPPING=1")
                self.assertEqual(started.wait(30), 0)

    def test_without_a_sandbox_it_says_so(self):
        self.config.write_text(self.config.read_text().replace("#", "sandbox = false"))
        started = self.start()
        line = next(line for line in started.stderr if "sandbox_entered" in line)
        event = json.loads(line)
        self.assertEqual((event["level"], event["in_force"]), ("warning", "none"))
        self.assertIn("server.sandbox", event["missing"])
        self.assertEqual(status_of(started.pid)["Seccomp"], "0")
        checked = subprocess.run([FACTEUR, "config", "check", "-c", self.config], capture_output=True, text=True)
        self.assertIn("server.sandbox is false", checked.stdout)

    def test_S81_a_link_in_the_way_is_not_followed(self):
        """Somebody has put symbolic links where the server's folders and files go: nothing is written behind them."""
        for name in ("log", "index", "keys", "instance", "ballast"):
            elsewhere = self.home / f"elsewhere-{name}"
            elsewhere.mkdir()
            subprocess.run(["rm", "-rf", self.data], check=True)
            self.data.mkdir(mode=0o700)
            (self.data / name).symlink_to(elsewhere if name != "instance" else elsewhere / "file")
            started = self.start()
            try:
                status = started.wait(5)
                self.assertNotEqual(status, 0, name)
            except subprocess.TimeoutExpired:
                started.terminate()
                self.assertEqual(started.wait(30), 0, name)
            self.assertEqual(list(elsewhere.iterdir()), [], name)


if __name__ == "__main__":
    unittest.main()
