"""Reading by IMAP with imaplib, curl, mbsync and neomutt."""
import email.message
import email.policy
import imaplib
import pathlib
import re
import ssl
import struct
import threading
import time
import unittest

from harness import PASSWORD, ServerTest, run, wait_for

TEXT = ("From: Zoé <x@outside.example>\r\nTo: {to}@example.org\r\nSubject: {subject}\r\nMessage-ID: <{subject}@outside.example>\r\n"
        "Date: Fri, 20 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nfirst part\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>second</p>\r\n--b--\r\n")


class Imap(ServerTest):
    def login(self, name="anne"):
        client = imaplib.IMAP4_SSL("127.0.0.1", self.server.imaps, ssl_context=ssl._create_unverified_context())
        client.login(self.server.address(name), PASSWORD)
        return client

    def account(self, name):
        self.server.facteur("account", "add", self.server.address(name), stdin=PASSWORD + "\n")

    def test_imaplib_daily_life(self):
        self.account("lib")
        for subject in ("one", "two", "three"):
            self.server.deliver(TEXT.format(to="lib", subject=subject).encode(), to="lib")
        client = self.login("lib")
        self.assertEqual(client.select("INBOX"), ("OK", [b"3"]))
        _, parts = client.fetch("1", "(ENVELOPE BODYSTRUCTURE RFC822.SIZE BODY.PEEK[1] FLAGS)")
        text = b" ".join(p if isinstance(p, bytes) else b" ".join(p) for p in parts)
        self.assertIn(b"first part", text)
        self.assertIn(b'"mixed"', text.lower())
        self.assertIn(b'"one"', text.lower())
        client.store("1", "+FLAGS", r"(\Seen \Flagged $label1)")
        self.assertEqual(client.search(None, "FLAGGED")[1], [b"1"])
        self.assertEqual(client.search(None, "KEYWORD", "$label1")[1], [b"1"])
        self.assertEqual(client.search(None, "OR", "SUBJECT", "two", "BODY", '"nothing"')[1], [b"2"])
        self.assertEqual(client.create("Work/Élan".encode("utf-7").decode().replace("+", "&"))[0], "OK")
        self.assertEqual(client.create("Archive/2026")[0], "OK")
        self.assertEqual(client.copy("2", "Archive/2026")[0], "OK")
        self.assertEqual(client.uid("MOVE", "3", "Archive/2026")[0], "OK")
        self.assertEqual(client.select("Archive/2026"), ("OK", [b"2"]))
        self.assertEqual(client.append("Drafts", r"(\Draft \Seen)", imaplib.Time2Internaldate(time.time()),
                                       b"Subject: a draft\r\n\r\nnot ready\r\n")[0], "OK")
        self.assertEqual(client.select("Drafts"), ("OK", [b"1"]))
        client.store("1", "+FLAGS", r"(\Deleted)")
        self.assertEqual(client.expunge(), ("OK", [b"1"]))
        self.assertEqual(client.rename("Archive/2026", "Archive/old")[0], "OK")
        self.assertEqual(client.delete("Archive/old")[0], "OK")
        names = [line.decode() for line in client.list()[1]]
        self.assertTrue(any(r"\Sent" in n for n in names), names)
        client.logout()

    def test_search_finds_what_is_wrapped(self):
        """RFC 9051 section 6.4.4: BODY looks into Outlook's winmail.dat, HTML and messages inside; TEXT also into headers."""
        def attribute(level, tag, value):  # MS-OXTNEF section 2.1.3
            return struct.pack("<BII", level, tag, len(value)) + value + struct.pack("<H", sum(value) & 0xffff)

        tnef = (struct.pack("<IH", 0x223e9f78, 1) + attribute(1, 0x2800c, b"The harvest is late\0")
                + attribute(2, 0x69002, bytes(14)) + attribute(2, 0x18010, b"orchard.csv\0")
                + attribute(2, 0x6800f, b"apples;pears"))
        outlook = email.message.EmailMessage()
        outlook["From"], outlook["Subject"] = "x@outside.example", "From Outlook"
        outlook.add_attachment(tnef, "application", "ms-tnef", filename="winmail.dat")
        forward = email.message.EmailMessage()
        forward["From"], forward["Subject"] = "x@outside.example", "Fwd"
        forward.set_content("see below")
        inner = email.message.EmailMessage()
        inner["From"], inner["Subject"] = "y@outside.example", "Élan vital"
        inner.set_content("<p>Voil&agrave; <b>la</b> <i class=quince>suite</i></p>", subtype="html")
        forward.add_attachment(inner)
        self.account("wrapped")
        for message in (outlook, forward):
            self.server.deliver(message.as_bytes(policy=email.policy.SMTP), to="wrapped")
        client = self.login("wrapped")
        client.select("INBOX")

        def found(key, words):
            client.literal = words.encode()
            return client.search("UTF-8", key)[1][0]

        for words, expected in (("harvest is LATE", b"1"), ("orchard.csv", b"1"), ("apples;pears", b"1"),
                                ("voilà la suite", b"2"), ("élan vital", b"2"), ("y@outside", b"2"), ("see below", b"2"),
                                ("quince", b""), ("nowhere", b"")):
            with self.subTest(words=words):
                self.assertEqual(found("BODY", words), expected)
                self.assertEqual(found("TEXT", words), expected)
        for words, expected in (("winmail.dat", b"1"), ("From Outlook", b"1"), ("ms-tnef", b"1"), ("x@outside", b"1 2")):
            with self.subTest(words=words):
                self.assertEqual(found("BODY", words), b"")
                self.assertEqual(found("TEXT", words), expected)
        client.logout()

    def test_idle_tells_of_new_mail(self):
        self.account("idle")
        client = self.login("idle")
        client.select("INBOX")
        client.send(b"i IDLE\r\n")
        self.assertTrue(client.readline().startswith(b"+"))
        timer = threading.Timer(0.3, self.server.deliver, (TEXT.format(to="idle", subject="news").encode(), "idle"))
        begin = time.monotonic()
        timer.start()
        client.socket().settimeout(10)
        line = client.readline()
        self.assertRegex(line, rb"\* 1 EXISTS")
        self.assertLess(time.monotonic() - begin, 2)
        timer.join()
        client.send(b"DONE\r\n")
        while not line.startswith(b"i "):
            line = client.readline()
        self.assertTrue(line.startswith(b"i OK"))
        client.logout()

    def test_curl_imap_and_imaps(self):
        self.account("curl")
        self.server.deliver(TEXT.format(to="curl", subject="for-curl").encode(), to="curl")
        for scheme, port in (("imap", self.server.imap), ("imaps", self.server.imaps)):
            out = run("curl", "-sS", "-k", "--ssl-reqd", f"{scheme}://127.0.0.1:{port}/INBOX;MAILINDEX=1",
                      "--user", f"curl@example.org:{PASSWORD}")
            self.assertIn("Subject: for-curl", out)
        letter = self.server.home / "letter"
        letter.write_bytes(b"Subject: by curl\r\n\r\nx\r\n")
        run("curl", "-sS", "-k", "--ssl-reqd", f"imaps://127.0.0.1:{self.server.imaps}/Sent",
            "--user", f"curl@example.org:{PASSWORD}", "-T", letter)
        out = run("curl", "-sS", "-k", f"imaps://127.0.0.1:{self.server.imaps}/Sent", "-X", "EXAMINE Sent",
                  "--user", f"curl@example.org:{PASSWORD}")
        self.assertIn("1 EXISTS", out)

    def test_mbsync_both_ways(self):
        self.account("sync")
        for n in range(20):
            self.server.deliver(TEXT.format(to="sync", subject=f"m{n}").encode(), to="sync")
        home = self.server.home / "mbsync"
        (home / "mail").mkdir(parents=True)
        rc = home / "mbsyncrc"
        rc.write_text(f"""IMAPAccount facteur
Host 127.0.0.1
Port {self.server.imaps}
User sync@example.org
Pass "{PASSWORD}"
SSLType IMAPS
CertificateFile {self.server.data / 'keys/self-signed.crt'}

IMAPStore far
Account facteur

MaildirStore near
Path {home}/mail/
Inbox {home}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
""")
        sync = lambda: run("mbsync", "-c", rc, "-a", env={"HOME": str(home)}, timeout=120)
        sync()
        box = home / "mail/INBOX"
        files = sorted([*box.glob("new/*"), *box.glob("cur/*")])
        self.assertEqual(len(files), 20)
        # A message made here, a flag set here, one removed here: all go up.
        (home / "mail/Drafts/cur/1.local:2,DS").write_bytes(b"Subject: written offline\n\nx\n")
        seen = files[0]
        seen.rename(box / "cur" / (seen.name.split(":")[0] + ":2,S"))
        files[1].rename(box / "cur" / (files[1].name.split(":")[0] + ":2,ST"))
        sync()
        client = self.login("sync")
        self.assertEqual(client.select("INBOX"), ("OK", [b"19"]))
        self.assertEqual(len(client.search(None, "SEEN")[1][0].split()), 1)
        self.assertEqual(client.select("Drafts"), ("OK", [b"1"]))
        client.logout()
        sync()
        self.assertEqual(len([*box.glob("new/*"), *box.glob("cur/*")]), 19)

    def test_neomutt(self):
        self.account("mutt")
        for subject in ("m1", "m2"):
            self.server.deliver(TEXT.format(to="mutt", subject=subject).encode(), to="mutt")
        rc = self.server.home / "muttrc"
        out = self.server.home / "saved"
        rc.write_text(f"""set folder="imaps://127.0.0.1:{self.server.imaps}"
set imap_user="mutt@example.org"
set imap_pass="{PASSWORD}"
set ssl_verify_host=no
set ssl_verify_dates=no
set certificate_file="{self.server.home}/certs"
set spoolfile="+INBOX"
set header_cache=""
set confirmappend=no
set move=no
set quit=yes
set delete=yes
unset ssl_force_tls
""")
        certificate = self.server.data / "keys/self-signed.crt"
        pathlib.Path(self.server.home / "certs").write_text(certificate.read_text())
        # Opens the INBOX, copies all messages to a local mbox, deletes the first, quits.
        keys = self.server.home / "keys"
        keys.write_text(f'push "<tag-pattern>~A<enter><tag-prefix><copy-message><kill-line>{out}<enter>'
                        f'<untag-pattern>~A<enter><first-entry><delete-message><quit>"\n')
        # It wants a terminal: script(1) gives it one.
        run("script", "-q", "-e", "-c", f"neomutt -n -F {rc} -e 'source {keys}'", "/dev/null",
            env={"TERM": "xterm", "HOME": str(self.server.home)}, stdin="", timeout=60)
        text = wait_for(lambda: out.exists() and out.read_text())
        self.assertEqual(len(re.findall(r"^Subject: m[12]$", text, re.M)), 2, text)
        client = self.login("mutt")
        self.assertEqual(client.select("INBOX"), ("OK", [b"1"]))
        client.logout()


if __name__ == "__main__":
    unittest.main()
