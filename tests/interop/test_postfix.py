"""Postfix as a peer, in both directions: Postfix -> Facteur (exchanger) and Facteur -> Postfix (route, TLS)."""
import os
import pathlib
import pwd
import shutil
import smtplib
import ssl
import subprocess
import tempfile
import unittest

from harness import PASSWORD, Server, free_ports, listens, run, wait_for


class Postfix:
    """A Postfix of its own (queue, configuration, port) in a temporary folder; mail for postfix.example into a Maildir."""

    def __init__(self, facteur_port):
        self.port = free_ports(1)[0]
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="postfix-interop-"))
        os.chmod(self.home, 0o755)
        self.etc, self.mail = self.home / "etc", self.home / "mail"
        for folder in (self.etc, self.home / "queue", self.home / "lib", self.mail):
            folder.mkdir()
        shutil.chown(self.home / "lib", "postfix")
        shutil.chown(self.mail, "nobody")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=mx.postfix.example",
                        "-keyout", self.etc / "key.pem", "-out", self.etc / "cert.pem"], check=True, capture_output=True)
        shutil.copy("/etc/postfix/master.cf.proto" if os.path.exists("/etc/postfix/master.cf.proto")
                    else "/usr/share/postfix/master.cf.dist", self.etc / "master.cf")
        (self.etc / "main.cf").write_text(f"""compatibility_level = 3.6
queue_directory = {self.home}/queue
data_directory = {self.home}/lib
config_directory = {self.etc}
maillog_file = {self.home}/postfix.log
maillog_file_prefixes = {self.home}
myhostname = mx.postfix.example
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
disable_dns_lookups = yes
smtpd_peername_lookup = no
smtpd_tls_security_level = may
smtpd_tls_cert_file = {self.etc}/cert.pem
smtpd_tls_key_file = {self.etc}/key.pem
smtp_tls_security_level = may
virtual_mailbox_domains = postfix.example
virtual_mailbox_base = {self.mail}
virtual_mailbox_maps = inline:{{pierre@postfix.example=pierre/}}
virtual_uid_maps = static:{pwd.getpwnam('nobody').pw_uid}
virtual_gid_maps = static:{pwd.getpwnam('nobody').pw_gid}
transport_maps = inline:{{example.org=smtp:[127.0.0.1]:{facteur_port}}}
""")
        self.postconf("-M#", "smtp/inet")
        self.postconf("-Me", f"127.0.0.1:{self.port}/inet=127.0.0.1:{self.port} inet n - n - - smtpd")
        self.postconf("-F", "*/*/chroot = n")
        subprocess.run(["postfix", "-c", self.etc, "start"], check=True, capture_output=True, timeout=60)
        wait_for(lambda: listens(self.port))

    def postconf(self, *arguments):
        subprocess.run(["postconf", "-c", self.etc, *arguments], check=True, capture_output=True)

    def messages(self):
        return [p.read_bytes() for p in self.mail.glob("pierre/new/*")]

    def log(self):
        return (self.home / "postfix.log").read_text()

    def close(self):
        subprocess.run(["postfix", "-c", self.etc, "stop"], capture_output=True, timeout=60)
        shutil.rmtree(self.home, ignore_errors=True)


class PostfixPeer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(more="")
        cls.addClassCleanup(cls.server.close)
        cls.postfix = Postfix(cls.server.smtp)
        cls.addClassCleanup(cls.postfix.close)
        # Now that Postfix's port is known, Facteur learns the route by a reload.
        text = cls.server.config.read_text()
        cls.server.config.write_text(text + f"""
[delivery]
allow_loopback = true
[[delivery.route]]
domains = ["postfix.example"]
host = "127.0.0.1"
port = {cls.postfix.port}
""")
        cls.server.facteur("reload")

    def submit(self, to, subject, body="Bonjour.\r\n..\r\n.\r\nfin\r\n"):
        with smtplib.SMTP_SSL("127.0.0.1", self.server.submissions, context=ssl._create_unverified_context()) as client:
            client.login("anne@example.org", PASSWORD)
            client.sendmail("anne@example.org", [to], f"From: anne@example.org\r\nTo: {to}\r\nSubject: {subject}\r\n\r\n{body}")

    def inbox(self, subject):
        import imaplib
        with imaplib.IMAP4("127.0.0.1", self.server.imap) as client:
            client.login("anne@example.org", PASSWORD)
            client.select("INBOX", readonly=True)
            return [client.fetch(n, "(BODY.PEEK[])")[1][0][1] for n in client.search(None, "SUBJECT", f'"{subject}"')[1][0].split()]

    def test_facteur_to_postfix_over_tls(self):
        self.submit("pierre@postfix.example", "to postfix")
        text = wait_for(lambda: [m for m in self.postfix.messages() if b"Subject: to postfix" in m])[0]
        self.assertTrue(text.endswith(b"Bonjour.\n..\n.\nfin\n"), text)
        self.assertIn(b"(Postfix) with ESMTPS id", text)  # Opportunistic TLS towards Postfix.
        wait_for(lambda: self.server.facteur("queue", "list", "--json").strip() in ("[]", ""))

    def test_postfix_to_facteur(self):
        with smtplib.SMTP("127.0.0.1", self.postfix.port) as client:
            client.sendmail("pierre@postfix.example", ["anne@example.org", "paul@example.org"],
                            "From: pierre@postfix.example\r\nSubject: from postfix\r\n\r\n.\r\nx\r\n")
        text = wait_for(lambda: self.inbox("from postfix"))[0]
        self.assertTrue(text.endswith(b"\r\n\r\n.\r\nx\r\n"), text)
        self.assertIn(b"Return-Path: <pierre@postfix.example>", text)
        self.assertIn(b"ESMTPS", text)

    def test_postfix_refuses_the_recipient_and_the_sender_learns_it(self):
        self.submit("nobody@postfix.example", "will bounce")
        report = wait_for(lambda: self.inbox("Undelivered") or self.inbox("failed") or self.inbox("returned"), 30)[0]
        self.assertIn(b"Final-Recipient: rfc822;nobody@postfix.example", report.replace(b"; ", b";"))  # RFC 3464 §2.3.2
        self.assertIn(b"Action: failed", report)
        self.assertIn(b"Return-Path: <>", report)

    def test_facteur_refuses_and_postfix_bounces(self):
        with smtplib.SMTP("127.0.0.1", self.postfix.port) as client:
            client.sendmail("pierre@postfix.example", ["nobody@example.org"], "Subject: lost\r\n\r\nx\r\n")
        wait_for(lambda: [m for m in self.postfix.messages() if b"550 5.1.1" in m], 30)

    def test_postfix_down_then_up(self):
        subprocess.run(["postfix", "-c", self.postfix.etc, "stop"], check=True, capture_output=True, timeout=60)
        wait_for(lambda: not listens(self.postfix.port))
        self.submit("pierre@postfix.example", "waits in the queue")
        wait_for(lambda: "pierre@postfix.example" in self.server.facteur("queue", "list"))
        self.server.stop()  # The queue outlives a restart.
        self.server.start()
        subprocess.run(["postfix", "-c", self.postfix.etc, "start"], check=True, capture_output=True, timeout=60)
        wait_for(lambda: listens(self.postfix.port))
        self.server.facteur("queue", "retry")
        wait_for(lambda: [m for m in self.postfix.messages() if b"Subject: waits in the queue" in m], 30)


if __name__ == "__main__":
    unittest.main()
