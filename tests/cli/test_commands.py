"""The program as its operators use it: subcommands, exit codes, with and without a running server."""
import contextlib
import email
import email.policy
import imaplib
import json
import mailbox
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))
from harness import FACTEUR, ROOT, free_ports  # noqa: E402


class CommandsTest(unittest.TestCase):
    def setUp(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="facteur-cli-"))
        self.config = self.home / "facteur.toml"
        self.port = free_ports(1)[0]
        self.base = (f'hostname = "mx.example.org"\ndomains = ["example.org"]\npostmaster = "anne@example.org"\n'
                     f'[server]\ndata = "{self.home}/data"\nprocesses = "one"\n[dns]\nmode = "zone"\nzone_file = "{self.home}/zone"\n'
                     f'[[listener]]\nprotocol = "exchanger"\naddress = "127.0.0.1"\nport = {self.port}\n')
        (self.home / "zone").write_text("")
        self.config.write_text(self.base)
        self.server = None

    def tearDown(self):
        if self.server and self.server.poll() is None:
            self.server.terminate()
            self.server.wait(30)
        shutil.rmtree(self.home, ignore_errors=True)

    def run_it(self, *arguments, stdin="", lang="C"):
        environment = {**os.environ, "LC_ALL": lang}
        return subprocess.run([FACTEUR, *arguments, "-c", str(self.config)], input=stdin, text=True,
                              capture_output=True, timeout=60, env=environment)

    def good(self, *arguments, **more):
        done = self.run_it(*arguments, **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def start(self):
        self.log = open(self.home / "log", "ab")
        self.addCleanup(self.log.close)
        self.server = subprocess.Popen([FACTEUR, "serve", "-c", str(self.config)], stdout=self.log, stderr=self.log)
        for _ in range(400):
            if self.server.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("no server: " + (self.home / "log").read_text())

    def test_commands_work_with_and_without_a_server_on_the_same_store(self):
        self.good("account", "add", "anne@example.org", "--name", "Anne", stdin="secret\n")
        self.assertEqual(self.run_it("account", "add", "anne@example.org", stdin="x\n").returncode, 1)
        self.assertEqual(self.run_it("reload").returncode, 4)
        self.start()
        self.assertIn("anne@example.org", self.good("account", "list"))
        self.good("account", "add", "paul@example.org", stdin="secret\n")
        self.good("alias", "add", "team@example.org", "anne@example.org", "paul@example.org")
        self.good("domain", "add", "new.example")
        self.assertTrue(json.loads(self.good("status", "--json"))["running"])
        self.server.terminate()
        self.assertEqual(self.server.wait(30), 0)
        accounts = json.loads(self.good("account", "list", "--json"))
        self.assertEqual([a["address"] for a in accounts], ["anne@example.org", "paul@example.org"])
        self.assertIn("team@example.org", self.good("alias", "list"))
        self.assertIn("new.example", self.good("domain", "list"))
        self.assertFalse(json.loads(self.good("status", "--json"))["running"])

    def test_two_processes_never_have_one_store(self):
        self.start()
        second = subprocess.run([FACTEUR, "serve", "-c", str(self.config)], capture_output=True, text=True, timeout=60)
        self.assertEqual(second.returncode, 5, second.stderr)
        # Without the socket, commands must not go behind the server's back.
        os.rename(self.home / "data/control.sock", self.home / "data/hidden.sock")
        done = self.run_it("account", "list")
        self.assertEqual(done.returncode, 5, done.stderr)

    def test_a_killed_server_leaves_nothing_in_the_way(self):
        self.good("account", "add", "anne@example.org", stdin="secret\n")
        self.start()
        self.server.send_signal(signal.SIGKILL)
        self.server.wait(30)
        self.assertIn("anne@example.org", self.good("account", "list"))
        self.start()
        self.assertIn("anne@example.org", self.good("account", "list"))

    def test_reload_says_all_that_is_wrong_and_keeps_the_old(self):
        self.start()
        self.config.write_text(self.base + "[limit]\nrecipients = 5\n[queue]\nexpiry = 5\n")
        # The command reads the file too, to find the socket; a signal reaches the server alone.
        self.assertEqual(self.run_it("config", "check").returncode, 3)
        self.server.send_signal(signal.SIGHUP)
        for _ in range(100):
            text = (self.home / "log").read_text()
            if "configuration_not_reloaded" in text:
                break
            time.sleep(0.05)
        self.assertIn("there is no option limit", text)
        self.assertIn("queue.expiry", text)
        self.config.write_text(self.base.replace('["example.org"]', '["example.org", "more.example"]'))
        self.good("reload")
        self.assertIn("more.example", self.good("domain", "list"))

    def test_wrong_passwords_are_listed_kept_over_a_restart_and_forgotten(self):
        self.assertEqual(self.run_it("guesses", "list").returncode, 4)
        port = free_ports(1)[0]
        self.config.write_text(self.base + f'[[listener]]\nprotocol = "imap"\naddress = "127.0.0.1"\nport = {port}\n'
                               'plaintext_login = true\n')
        self.start()
        self.assertIn("No wrong passwords", self.good("guesses", "list"))
        self.good("account", "add", "anne@example.org", stdin="right\n")
        with imaplib.IMAP4("127.0.0.1", port) as client:
            self.assertRaises(imaplib.IMAP4.error, client.login, "anne@example.org", "wrong")
        for restart in (False, True):
            if restart:
                self.server.terminate()
                self.assertEqual(self.server.wait(30), 0)
                self.start()
            table = self.good("guesses", "list")
            self.assertRegex(table, r"login +anne@example.org +1")
            self.assertRegex(table, r"source +127.0.0.1 anne@example.org +1")
        self.assertEqual([g["wrong"] for g in json.loads(self.good("guesses", "list", "--json"))["guesses"]], [1, 1])
        self.assertEqual(self.run_it("guesses", "forget").returncode, 1)
        self.assertEqual(self.run_it("guesses", "forget", "nobody@example.org").returncode, 1)
        self.good("guesses", "forget", "anne@example.org")
        self.assertNotIn("login", self.good("guesses", "list"))
        self.good("guesses", "forget", "--all")
        self.assertIn("Aucun mot de passe", self.good("guesses", "list", "--lang", "fr"))

    def test_a_message_in_a_file(self):
        text = ("From: \x1b[31mMallory\x1b]0;owned\x07 <m@outside.example>\r\nTo: anne@example.org\r\n"
                "Subject: =?utf-8?q?caf=C3=A9_=E2=80=AEtxt?=\r\nDate: Fri, 21 Nov 1997 09:55:06 -0600\r\n"
                "Message-ID: <1@outside.example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
                "--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
                "Bonjour =1B[2Jl=C3=A0\r\n--b\r\nContent-Type: application/pdf; name=x.pdf\r\n"
                "Content-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n--b--\r\n")
        file = self.home / "m.eml"
        file.write_bytes(text.encode())
        for name in ("show", "structure", "headers", "trace", "verify"):
            for more in ((), ("--json",), ("--lang", "fr")):
                done = self.run_it("message", name, str(file), *more)
                # A ';' in a name that is not quoted: the address is damaged, and only verify minds.
                self.assertEqual(done.returncode, 1 if name == "verify" else 0, done.stderr)
                out = done.stdout
                hidden = "" if (name, more) == ("trace", ("--json",)) else "\\u202e"  # Programs get it as it is.
                self.assertNotRegex(out, f"[\\x00-\\x08\\x0b-\\x1f\\x7f{hidden}]", name)
        self.assertIn("Bonjour", self.good("message", "show", str(file)))
        self.assertIn("x.pdf", self.good("message", "show", str(file)))
        structure = json.loads(self.good("message", "structure", str(file), "--json"))
        self.assertEqual([p["part"] for p in structure["parts"]], ["", "1", "2"])
        self.assertEqual(structure["parts"][2]["sha256"],
                         "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
        self.assertIn("[U+202E]", self.good("message", "headers", str(file)))
        file.write_bytes(("From: <m@outside.example>\r\n" + text.split("\r\n", 1)[1]).encode())
        self.assertIn("Nothing is wrong", self.good("message", "verify", str(file)))
        # Raw octets in a field, against RFC 5322 §2.2: in the charset of the text.
        russian = "Рассылка"
        file.write_bytes(b"From: <m@outside.example>\r\nSubject: " + russian.encode("cp1251")
                         + b"\r\nContent-Type: text/plain; charset=windows-1251\r\n\r\nx\r\n")
        for name in ("show", "headers"):
            self.assertIn(russian, self.good("message", name, str(file)))
        folder = self.run_it("message", "show", str(self.home))
        self.assertEqual((folder.returncode, "cannot be read" in folder.stderr), (1, True), folder.stderr)
        bad = self.run_it("message", "verify", "-", stdin="Subject: x\n\n")
        self.assertEqual(bad.returncode, 1)
        self.assertIn("Date", bad.stdout)
        self.assertEqual(self.run_it("message", "show", str(self.home / "none")).returncode, 1)

    def test_composing_a_message(self):
        files = {"text": "Bonjour,\nvoilà.\n", "html": "<p>voilà <img src=\"cid:logo@example.org\">",
                 "logo.png": "PNG", "été.pdf": "PDF" * 3000, "parent": "Return-Path: <zoe@b.example>\r\n"
                 "From: =?utf-8?q?Zo=C3=A9?= <zoe@b.example>\r\nTo: anne@example.org, x@b.example\r\n"
                 "Subject: Re: =?utf-8?q?l'=C3=A9t=C3=A9?=\r\n"
                 "Message-ID: <p@b.example>\r\nReferences: <o@b.example>\r\n"
                 "Disposition-Notification-To: zoe@b.example\r\n\r\none\r\n"}
        for name, text in files.items():
            (self.home / name).write_bytes(text.encode())
        at = lambda name: str(self.home / name)
        compose = ["message", "compose", "--from", "Anne Wei <anne@example.org>"]
        done = subprocess.run(
            [FACTEUR, *compose, "--to", "Zoé <zoe@b.example>, x@b.example", "--bcc", "secret@b.example", "--subject", "Été",
             "--text", at("text"), "--html", at("html"), "--inline", "logo@example.org=" + at("logo.png"),
             "--attach", at("été.pdf"), "--forward", at("parent"), "--request-receipt"], capture_output=True, check=True)
        message = email.message_from_bytes(done.stdout, policy=email.policy.SMTP)
        self.assertEqual([part.get_content_type() for part in message.walk()],
                         ["multipart/mixed", "multipart/alternative", "text/plain", "multipart/related", "text/html",
                          "image/png", "application/pdf", "message/rfc822", "text/plain"])
        self.assertEqual(message["Subject"], "Été")
        self.assertEqual(message["To"].addresses[0].display_name, "Zoé")
        self.assertNotIn(b"secret", done.stdout)
        parts = list(message.walk())
        self.assertEqual(parts[6].get_filename(), "été.pdf")
        self.assertEqual(parts[6].get_payload(decode=True).decode(), files["été.pdf"])
        self.assertEqual(self.run_it("message", "verify", "-", stdin=done.stdout.decode()).returncode, 0)
        told = json.loads(self.good(*compose, "--to", "a@b.example", "--bcc", "secret@b.example", "--json"))
        self.assertEqual((told["recipients"], told["sender"]), (["a@b.example", "secret@b.example"], "anne@example.org"))
        reply = email.message_from_string(self.good(*compose, "--reply-to-message", at("parent"), "--all", "--quote",
                                                    "--text", at("text"), "--flowed"), policy=email.policy.SMTP)
        self.assertEqual((reply["In-Reply-To"], reply["References"]), ("<p@b.example>", "<o@b.example> <p@b.example>"))
        self.assertEqual((reply["Subject"], reply["Cc"]), ("Re: l'été", "x@b.example"))
        self.assertEqual(reply.get_param("format"), "flowed")
        self.assertIn("> one", reply.get_content())
        # Pieces in an mbox, taken apart by another program and put together by ours, in another order.
        (self.home / "pieces").write_text(self.good(*compose, "--to", "a@b.example", "--attach", at("été.pdf"), "--split", "4 KiB"))
        names = []
        with contextlib.closing(mailbox.mbox(self.home / "pieces")) as pieces:
            for number, key in enumerate(pieces.keys()):
                names.insert(0, at(f"piece{number}"))
                pathlib.Path(names[0]).write_bytes(pieces.get_bytes(key))
        self.assertGreater(len(names), 3)
        whole = email.message_from_string(self.good("message", "join", *names), policy=email.policy.SMTP)
        self.assertEqual(list(whole.walk())[1].get_payload(decode=True).decode(), files["été.pdf"])
        self.assertIn("Pieces are missing", self.run_it("message", "join", *names[1:]).stderr)

        receipt = email.message_from_string(self.good("message", "receipt", at("parent"), "--from", "anne@example.org",
                                                      "--automatic", "--lang", "fr"), policy=email.policy.SMTP)
        self.assertEqual((receipt.get_param("report-type"), receipt["Subject"]), ("disposition-notification", "Lu : Re: l'été"))
        (self.home / "parent").write_bytes(files["parent"].replace("<zoe@b.example>", "<>", 1).encode())
        refused = self.run_it("message", "receipt", at("parent"), "--from", "anne@example.org")
        self.assertEqual((refused.returncode, "no sender" in refused.stderr), (1, True), refused.stderr)
        report = email.message_from_string(self.good("message", "complaint", at("parent"), "--from", "anne@example.org",
                                                     "--to", "abuse@b.example", "--kind", "fraud"))
        self.assertEqual(report.get_param("report-type"), "feedback-report")
        self.assertIn("Feedback-Type: fraud", report.as_string())
        # Nothing given can become a line of the header.
        for bad in (["--subject", "a\r\nBcc: x@y.example"], ["--to", "a@b.example\r\nX: y"], ["--to", "nobody"],
                    ["--inline", "x"], ["--inline", "a b=" + at("logo.png")], ["--attach", at("none")],
                    ["--to", "é@b.example"], ["--split", "many"]):
            refused = self.run_it(*compose, *bad)
            self.assertIn(refused.returncode, (1, 2), bad)
            self.assertEqual((refused.stdout, bool(refused.stderr)), ("", True), bad)

    def test_configuration(self):
        self.good("config", "check")
        self.config.write_text('hostname = "mx.example.org"\ndomain = ["example.org"]\n')
        wrong = self.run_it("config", "check")
        self.assertEqual(wrong.returncode, 3)
        self.assertIn(f"{self.config}:2: there is no option domain; did you mean domains?", wrong.stdout)
        self.assertIn("postmaster is missing", wrong.stdout)
        self.assertEqual(self.run_it("serve").returncode, 3)
        self.config.write_text(self.base + "[limits]\nrecipients = 500\n")
        self.assertIn("limits.recipients = 500", self.good("config", "diff"))
        self.assertIn("RFC 5321 §4.5.3.1.8", self.good("config", "explain", "limits.recipients"))
        self.assertIn("did you mean limits.recipients?", self.run_it("config", "explain", "limits.recipient").stderr)
        example = self.good("config", "example")
        self.config.write_text(example)
        self.good("config", "check")
        self.assertEqual(self.good("config", "reference"), (ROOT / "docs/reference.md").read_text())

    def test_init_writes_a_file_that_works_and_never_over_another(self):
        self.assertEqual(self.run_it("init", "--hostname", "a.example", "--domain", "b.example",
                                     "--postmaster", "p@b.example").returncode, 1)
        self.config.unlink()
        self.good("init", "--hostname", "a.example", "--domain", "b.example", "--postmaster", "p@b.example",
                  "--data", str(self.home / "data"))
        self.good("config", "check")
        self.config.unlink()
        self.assertEqual(self.run_it("init", "--hostname", "not a name", "--domain", "b.example",
                                     "--postmaster", "p@b.example").returncode, 2)

    def test_wrong_usage(self):
        for arguments in (["account"], ["account", "frobnicate"], ["no-such-command"], ["account", "add"], ["--nonsense"]):
            self.assertEqual(self.run_it(*arguments).returncode, 2, arguments)
        self.assertEqual(subprocess.run([FACTEUR], capture_output=True, timeout=60).returncode, 2)
        self.assertEqual(self.run_it("account", "add", "anne@example.org", stdin="\n").returncode, 1)

    def test_passwords_are_never_arguments(self):
        self.assertNotIn("--password ", self.good("help"))
        done = self.run_it("account", "add", "anne@example.org", "secret")
        self.assertEqual(done.returncode, 2)

    def test_help_is_complete_in_both_languages(self):
        for lang in ("C", "fr_FR.UTF-8"):
            text = self.good("help", lang=lang)
            self.assertIsNone(re.search(r"<(help|error|demo)[.\w]*>", text), lang)  # A phrase that is not there.
            for part in ("serve", "queue", "release", "account", "--hostname", "import", "undelete", "structure"):
                self.assertIn(part, text, lang)
        self.assertIn("La file d'attente est vide", self.good("queue", "list", "--lang", "fr"))

    def test_a_port_that_is_taken_is_named(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", self.port))
            taken.listen()
            done = subprocess.run([FACTEUR, "serve", "-c", str(self.config)], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"exchanger-{self.port}: Cannot listen on 127.0.0.1:{self.port}: another program is using it", done.stderr)

    def test_the_demonstration_brings_its_letter_home_and_leaves_nothing(self):
        temporary = self.home / "tmp"
        temporary.mkdir()
        for lang in ("en", "fr"):
            base = 20000 + os.getpid() % 3900
            done = subprocess.run([FACTEUR, "demo", "--once", "--lang", lang, "--base-port", str(base)],
                                  capture_output=True, text=True, timeout=120,
                                  env={**os.environ, "TMPDIR": str(temporary)})
            self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
            for line in ("220 smtp.free.example", "wanadoo.example MX ?", "220 smtp.wanadoo.example", "+OK", "* 1 EXISTS"):
                self.assertIn(line, done.stdout)
            self.assertNotIn("<demo.", done.stdout)
        self.assertEqual(list(temporary.iterdir()), [])

    def test_the_demonstration_stays_until_it_is_told_to_stop(self):
        base = 20000 + (os.getpid() + 700) % 3900
        process = subprocess.Popen([FACTEUR, "demo", "--lang", "en", "--base-port", str(base)], stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True)
        text = ""
        while "Ctrl-C" not in text:
            line = process.stdout.readline()
            self.assertTrue(line, text)
            text += line
        swaks = re.search(r"^swaks .*$", text, re.M).group(0)
        if shutil.which("swaks"):
            done = subprocess.run(swaks, shell=True, capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stdout)
        folder = re.search(r"(\S*facteur-demo-\w+)/log", text).group(1)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(30), 0)
        process.stdout.close()
        self.assertFalse(os.path.exists(folder))


if __name__ == "__main__":
    FACTEUR = sys.argv.pop(1) if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else FACTEUR
    unittest.main(verbosity=2)
