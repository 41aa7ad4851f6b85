"""S10 and the handshake: other protocols by ALPN, old versions, broken and silent clients."""
import socket
import ssl
import time
import unittest

import wire
from cases import Hostile, resident

PORTS = ["submissions", "imaps", "pop3s"]


class Tls(Hostile):
    """Implicit TLS on every port that has it."""

    def handshake(self, port, made, **more):
        with socket.create_connection(("127.0.0.1", getattr(self.server, port)), 20) as plain:
            with made.wrap_socket(plain, **more) as secured:
                return secured.version(), secured.recv(100)

    def test_alpn(self):
        for port, own in zip(PORTS, ("smtp", "imap", "pop3")):
            for offered in (["http/1.1"], ["h2"], ["h2", "http/1.1"], ["ftp"], ["x" * 255], ["xmpp-client", "mqtt"]):
                with self.case("S10", port=port, offered=offered), self.assertRaises(ssl.SSLError):
                    self.handshake(port, wire.context(offered))
            for offered in (None, [own], ["http/1.1", own]):
                with self.case("S10", port=port, offered=offered, good=True):
                    self.assertTrue(self.handshake(port, wire.context(offered))[1])

    def test_alpn_behind_starttls(self):
        for port, command, answer in (("smtp", b"STARTTLS\r\n", b"220"), ("submission", b"STARTTLS\r\n", b"220"),
                                      ("imap", b"a STARTTLS\r\n", b"a OK"), ("pop3", b"STLS\r\n", b"+OK")):
            for offered in (["http/1.1"], ["h2"]):
                with self.case("S10", port=port, offered=offered), wire.Lines(getattr(self.server, port)) as client:
                    client.line()
                    if answer == b"220":
                        client.send(b"EHLO c\r\n")
                        while client.line()[3:4] == b"-":
                            pass
                    client.send(command)
                    said = client.line()
                    self.assertTrue(said.startswith(answer), said)
                    with self.assertRaises(OSError):
                        client.start_tls(offered)

    def test_old_versions(self):
        for port in PORTS:
            for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
                with self.case("S10", port=port, version=version):
                    made = wire.context()
                    made.set_ciphers("ALL:@SECLEVEL=0")
                    made.minimum_version = made.maximum_version = version
                    with self.assertRaises(OSError):
                        self.handshake(port, made)
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                with self.case("S10", port=port, version=version):
                    made = wire.context()
                    made.minimum_version = made.maximum_version = version
                    self.handshake(port, made)
            for ciphers in ("aNULL:@SECLEVEL=0", "eNULL:@SECLEVEL=0", "RC4:3DES:@SECLEVEL=0"):
                with self.case("S10", port=port, ciphers=ciphers):
                    made = wire.context()
                    try:
                        made.set_ciphers(ciphers)
                    except ssl.SSLError:
                        continue  # This client cannot even ask for it.
                    made.maximum_version = ssl.TLSVersion.TLSv1_2
                    with self.assertRaises(OSError):
                        self.handshake(port, made)

    def test_names(self):
        for port in PORTS:
            for name in ("mx.example.org", "remote.example", "a" * 200 + ".example", "xn--", "127.0.0.1"):
                with self.case("S10", port=port, name=name[:30]):
                    try:
                        self.handshake(port, wire.context(), server_hostname=name)
                    except (OSError, ValueError):
                        pass  # Refused is well; what counts is that the server lives on (tearDownClass).

    def test_broken_handshakes(self):
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
        for port in PORTS:
            for octets in (b"", b"\x16", hello, hello + b"\xff" * 505, b"EHLO x\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\0" * 5000,
                           b"\x15\x03\x03\x00\x02\x01\x00", b"\x17\x03\x03\x40\x00" + b"x" * 16384, b"\x80\x2e\x01\x00\x02" + b"\0" * 41,
                           b"\x16\x03\x03\xff\xff" + b"x" * 65535, b"\x14\x03\x03\x00\x01\x01", b"\xff" * 100):
                with self.case("S11", port=port, octets=octets[:12]):
                    before = resident(self.server)
                    with socket.create_connection(("127.0.0.1", getattr(self.server, port)), 20) as plain:
                        try:
                            plain.sendall(octets)
                            plain.shutdown(socket.SHUT_WR)
                            while plain.recv(4096):
                                pass
                        except ConnectionError:
                            pass
                    self.assertLess(resident(self.server) - before, 4 << 20)
                    self.assertTrue(self.handshake(port, wire.context())[1])

    def test_renegotiation_is_refused(self):
        """A client that speaks in clear behind the handshake gets nothing."""
        for port in PORTS:
            with self.case("S11", port=port, what="plaintext behind the handshake"):
                with wire.Wire(getattr(self.server, port), True) as client:
                    client.more()
                    client.said = b""
                    raw = socket.socket(fileno=socket.dup(client.socket.fileno()))
                    with raw:
                        raw.sendall(b"a NOOP\r\nNOOP\r\nCAPA\r\n" * 100)
                        time.sleep(0.05)
                    try:
                        client.socket.settimeout(5)
                        self.assertEqual(client.rest(), b"")
                    except OSError:
                        pass


if __name__ == "__main__":
    unittest.main()
