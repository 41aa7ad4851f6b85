"""Reading by POP3 with poplib, curl and fetchmail."""
import poplib
import ssl
import unittest

from harness import PASSWORD, ServerTest, run, wait_for

TEXT = "From: x@outside.example\r\nTo: {to}@example.org\r\nSubject: {subject}\r\n\r\nline 1\r\n.dot\r\nline 3\r\n"


class Pop3(ServerTest):
    def login(self, name="anne", secure=True):
        if secure:
            client = poplib.POP3_SSL("127.0.0.1", self.server.pop3s, context=ssl._create_unverified_context(), timeout=30)
        else:
            client = poplib.POP3("127.0.0.1", self.server.pop3, timeout=30)
        client.user(self.server.address(name))
        client.pass_(PASSWORD)
        return client

    def test_poplib_all_of_a_session(self):
        self.server.deliver(TEXT.format(to="anne", subject="one"))
        self.server.deliver(TEXT.format(to="anne", subject="two"))
        client = self.login()
        count, size = client.stat()
        self.assertEqual(count, 2)
        sizes = [int(line.split()[1]) for line in client.list()[1]]
        self.assertEqual(sum(sizes), size)
        uidls = [line.split()[1] for line in client.uidl()[1]]
        self.assertEqual(len(set(uidls)), 2)
        lines = client.retr(1)[1]
        self.assertEqual(sum(len(line) + 2 for line in lines), sizes[0])  # RFC 1939 §11: octets with CRLF
        self.assertEqual(lines[-3:], [b"line 1", b".dot", b"line 3"])
        self.assertEqual(client.top(1, 1)[1][-1], b"line 1")
        client.dele(1)
        client.rset()
        client.dele(2)
        client.quit()
        client = self.login(secure=False)
        self.assertEqual([line.split()[1] for line in client.uidl()[1]], uidls[:1])
        client.dele(1)
        client.close()  # No QUIT: nothing is deleted (RFC 1939 §6).
        client = wait_for(lambda: self.try_login())
        self.assertEqual(client.stat()[0], 1)
        client.dele(1)
        client.quit()

    def try_login(self):
        try:
            return self.login()
        except poplib.error_proto as refused:
            self.assertIn(b"[IN-USE]", refused.args[0])
            return None

    def test_one_session_at_a_time(self):
        client = self.login("paul")
        with self.assertRaisesRegex(poplib.error_proto, "IN-USE"):  # RFC 2449 §8.1.2
            self.login("paul")
        client.quit()
        self.login("paul").quit()

    def test_capa_and_stls(self):
        client = poplib.POP3("127.0.0.1", self.server.pop3, timeout=30)
        self.assertIn("STLS", client.capa())
        client.stls(context=ssl._create_unverified_context())
        self.assertNotIn("STLS", client.capa())
        client.user("anne@example.org")
        client.pass_(PASSWORD)
        client.quit()

    def test_curl_pop3_and_pop3s(self):
        self.server.deliver(TEXT.format(to="paul", subject="for curl"), to="paul")
        for scheme, port in (("pop3", self.server.pop3), ("pop3s", self.server.pop3s)):
            out = wait_for(lambda: run("curl", "-sS", "-k", "--ssl-reqd", f"{scheme}://127.0.0.1:{port}/1",
                                       "--user", f"paul@example.org:{PASSWORD}", check=False))
            self.assertIn("Subject: for curl", out)

    def test_fetchmail(self):
        self.server.facteur("account", "add", "fetch@example.org", stdin=PASSWORD + "\n")
        for subject in ("f1", "f2"):
            self.server.deliver(TEXT.format(to="fetch", subject=subject), to="fetch")
        box = self.server.home / "fetched"
        box.touch()
        rc = self.server.home / "fetchmailrc"
        rc.write_text(f'poll 127.0.0.1 service {self.server.pop3s} protocol pop3 uidl\n'
                      f'  user "fetch@example.org" password "{PASSWORD}" ssl no sslcertck\n'
                      f'  mda "cat >> {box}"\n')
        rc.chmod(0o600)
        run("fetchmail", "-f", rc, "--nodetach", "--nosyslog", "--pidfile", self.server.home / "fetchmail.pid",
            "--idfile", self.server.home / "fetchids", env={"HOME": str(self.server.home)})
        self.assertIn("Subject: f1", box.read_text())
        self.assertIn("Subject: f2", box.read_text())
        client = self.login("fetch")
        self.assertEqual(client.stat()[0], 0)
        client.quit()


if __name__ == "__main__":
    unittest.main()
