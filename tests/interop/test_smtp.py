"""Submission and reception with swaks, curl, smtplib and s-nail."""
import imaplib
import re
import smtplib
import socket
import ssl
import subprocess
import unittest

from harness import PASSWORD, ServerTest, run, wait_for

MESSAGE = ("From: Anne <anne@example.org>\r\nTo: paul@example.org\r\nSubject: {subject}\r\n"
           "Date: Fri, 20 Nov 2026 10:00:00 +0000\r\n\r\nHello.\r\n..two dots\r\n.\r\nend\r\n")


class Smtp(ServerTest):
    def messages(self, name, subject):
        """The messages of that subject in the INBOX of an account, whole."""
        with imaplib.IMAP4("127.0.0.1", self.server.imap) as client:
            client.login(self.server.address(name), PASSWORD)
            client.select("INBOX", readonly=True)
            _, found = client.search(None, "SUBJECT", f'"{subject}"')
            return [client.fetch(n, "(BODY.PEEK[])")[1][0][1] for n in found[0].split()]

    def arrived(self, name, subject):
        return wait_for(lambda: self.messages(name, subject))

    def test_swaks_submission_starttls(self):
        out = run("swaks", "--server", f"127.0.0.1:{self.server.submission}", "--tls", "--auth", "PLAIN",
                  "--auth-user", "anne@example.org", "--auth-password", PASSWORD, "--from", "anne@example.org",
                  "--to", "paul@example.org", "--header", "Subject: swaks starttls")
        self.assertIn("~> QUIT", out)
        text = self.arrived("paul", "swaks starttls")[0]
        self.assertRegex(text, rb"Return-Path: <anne@example\.org>\r\n")
        self.assertRegex(text, rb"with ESMTPSA")  # RFC 3848

    def test_swaks_submissions_login(self):
        run("swaks", "--server", f"127.0.0.1:{self.server.submissions}", "--tls-on-connect", "--auth", "LOGIN",
            "--auth-user", "anne@example.org", "--auth-password", PASSWORD, "--from", "anne@example.org",
            "--to", "paul@example.org", "--header", "Subject: swaks implicit tls")
        self.arrived("paul", "swaks implicit tls")
        # The session ends after its reply to QUIT: the log line may be a moment behind.
        line = rf'"smtp_session_finished".*"listener":"submission-{self.server.submissions}".*"tls":"TLSv1'
        wait_for(lambda: re.search(line, self.server.log.read_text()))

    def test_swaks_wrong_password(self):
        out = run("swaks", "--server", f"127.0.0.1:{self.server.submissions}", "--tls-on-connect", "--auth", "PLAIN",
                  "--auth-user", "anne@example.org", "--auth-password", "wrong", "--from", "anne@example.org",
                  "--to", "paul@example.org", check=False)
        self.assertIn("535 5.7.8", out)

    def test_swaks_lmtp(self):
        out = run("swaks", "--protocol", "LMTP", "--server", f"127.0.0.1:{self.server.lmtp}",
                  "--from", "someone@outside.example", "--to", "anne@example.org,paul@example.org",
                  "--header", "Subject: swaks lmtp")
        self.assertEqual(out.count("<-  250 2.1.5") + out.count("<-  250 2.0.0"), 4, out)  # RFC 2033 §4.2
        self.arrived("anne", "swaks lmtp")
        self.arrived("paul", "swaks lmtp")

    def test_curl_smtp_and_smtps(self):
        for scheme, port in (("smtp", self.server.submission), ("smtps", self.server.submissions)):
            subject = f"curl {scheme}"
            run("curl", "-sS", "-k", "--ssl-reqd", "--url", f"{scheme}://127.0.0.1:{port}",
                "--user", f"anne@example.org:{PASSWORD}", "--mail-from", "anne@example.org",
                "--mail-rcpt", "paul@example.org", "-T", "-", stdin=MESSAGE.format(subject=subject))
            text = self.arrived("paul", subject)[0]
            self.assertTrue(text.endswith(b"Hello.\r\n..two dots\r\n.\r\nend\r\n"), text)  # RFC 5321 §4.5.2

    def test_smtplib(self):
        context = ssl._create_unverified_context()
        with smtplib.SMTP("127.0.0.1", self.server.submission, timeout=30) as client:
            client.starttls(context=context)
            client.login("anne@example.org", PASSWORD)
            refused = client.sendmail("anne@example.org", ["paul@example.org", "nobody@example.org"],
                                      MESSAGE.format(subject="smtplib"))
        self.assertEqual(refused["nobody@example.org"][0], 550)
        self.arrived("paul", "smtplib")

    def test_sender_must_be_the_logins_own(self):
        with smtplib.SMTP_SSL("127.0.0.1", self.server.submissions, context=ssl._create_unverified_context()) as client:
            client.login("anne@example.org", PASSWORD)
            code, _ = client.mail("paul@example.org")
            if code == 250:
                code, _ = client.rcpt("anne@example.org")
            self.assertEqual(code // 100, 5)

    def test_no_relay_without_login(self):
        with smtplib.SMTP("127.0.0.1", self.server.smtp) as client:
            client.ehlo("client.outside.example")
            client.mail("someone@outside.example")
            for address in ("victim@remote.example", "victim%remote.example@example.org",
                            "@example.org:victim@remote.example", '"victim@remote.example"@example.org',
                            "remote.example!victim@example.org", "victim@[127.0.0.1]"):
                code, text = client.rcpt(address)
                self.assertEqual(code // 100, 5, (address, code, text))
            self.assertEqual(client.docmd("RCPT", "TO:<postmaster>")[0], 250)  # RFC 5321 §4.5.1

    def test_no_password_in_clear_on_the_exchanger(self):
        with smtplib.SMTP("127.0.0.1", self.server.smtp) as client:
            client.ehlo()
            self.assertFalse(client.has_extn("auth"))

    def test_a_person_with_telnet(self):
        with socket.create_connection(("127.0.0.1", self.server.smtp), 30) as s:
            lines = s.makefile("rb")

            def say(line, code):
                s.sendall(line.encode() + b"\r\n")
                while True:
                    reply = lines.readline().decode()
                    if reply[3:4] != "-":
                        break
                self.assertEqual(reply[:3], code, (line, reply))

            self.assertTrue(lines.readline().startswith(b"220 mx.example.org ESMTP"))
            say("HELO skyrunner.home", "250")
            say("MAIL FROM:<benja.roux@wanadoo.example>", "250")
            say("RCPT TO:<anne@example.org>", "250")
            say("DATA", "354")
            say("Subject: by hand\r\n\r\nTest SMTP\r\n.", "250")
            say("NOOP", "250")
            say("VRFY anne", "252")
            say("HELP", "214")
            say("QUIT", "221")
        self.arrived("anne", "by hand")

    def test_s_nail(self):
        run("s-nail", "-:/", "-Sv15-compat", "-S", f"mta=smtps://anne%40example.org:correct%20horse@127.0.0.1:{self.server.submissions}",
            "-S", "smtp-auth=plain", "-S", "tls-verify=ignore", "-S", "from=anne@example.org", "-s", "from s-nail",
            "paul@example.org", stdin="written with s-nail\n", env={"MAILRC": "/dev/null"})
        self.arrived("paul", "from s-nail")


if __name__ == "__main__":
    unittest.main()
