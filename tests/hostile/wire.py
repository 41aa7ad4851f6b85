"""Octets to and from the server under test, over plain TCP, STARTTLS or implicit TLS, in the segments a case asks for."""
import base64
import socket
import ssl

from harness import PASSWORD


def context(alpn=None):
    """A TLS client that takes the server's self-signed certificate."""
    made = ssl.create_default_context()
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if alpn:
        made.set_alpn_protocols(alpn)
    return made


class Wire:
    """One connection. `said` is what came and was not taken yet."""

    def __init__(self, port, implicit=False, source="127.0.0.1", alpn=None, timeout=20):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout, source_address=(source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.said = b""
        self.over = False
        if implicit:
            self.start_tls(alpn)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def start_tls(self, alpn=None):
        self.socket = context(alpn).wrap_socket(self.socket)

    def send(self, octets, cut=None):
        """Sends; with `cut` in two segments. A peer that has hung up is no error: what it said counts."""
        try:
            if cut is None:
                self.socket.sendall(octets)
            else:
                self.socket.sendall(octets[:cut])
                self.socket.sendall(octets[cut:])
        except OSError:
            pass

    def more(self):
        """Waits for octets; False at the end of the connection."""
        try:
            got = self.socket.recv(65536)
        except (ConnectionError, ssl.SSLError):
            got = b""
        self.over = self.over or not got
        self.said += got
        return bool(got)

    def line(self):
        """The next line without its end; b"" once the connection is over."""
        while b"\r\n" not in self.said:
            if not self.more():
                rest, self.said = self.said, b""
                return rest
        line, _, self.said = self.said.partition(b"\r\n")
        return line

    def finish(self):
        """Says that nothing more comes, so that a server which only waits for us to go need not."""
        try:
            socket.socket.shutdown(self.socket, socket.SHUT_WR)  # Below TLS: it can still read.
        except OSError:
            pass

    def rest(self):
        """Everything that still comes."""
        self.finish()
        while self.more():
            pass
        rest, self.said = self.said, b""
        return rest


class Smtp(Wire):
    """An SMTP or LMTP client as far as a case needs it."""

    def reply(self):
        """The next reply: its code, 0 when the connection is over."""
        while True:
            line = self.line()
            if not line:
                return 0
            if line[3:4] != b"-":
                self.text = line
                return int(line[:3])

    def replies(self):
        """Codes of all replies that still come, until the end of the connection."""
        self.finish()
        codes = []
        while code := self.reply():
            codes.append(code)
        return codes

    def command(self, text, cut=None):
        self.send((text if isinstance(text, bytes) else text.encode()) + b"\r\n", cut)
        return self.reply()


class SmtpDoor:
    """A way in: which port, which TLS, whether to log in, and its word for hello."""

    def __init__(self, name, port, tls="none", login=False, hello="EHLO"):
        self.name, self.port, self.tls, self.login, self.hello = name, port, tls, login, hello

    def open(self, server, greet=True):
        """A greeted session (and one that has logged in, where the door wants that)."""
        client = Smtp(getattr(server, self.port), self.tls == "implicit")
        assert client.reply() == 220, client.text
        if self.tls == "starttls":
            assert client.command("EHLO c.outside.example") == 250
            assert client.command("STARTTLS") == 220
            client.start_tls()
        if greet:
            assert client.command(f"{self.hello} c.outside.example") == 250, client.text
            if self.login:
                token = base64.b64encode(f"\0anne@{server.domain}\0{PASSWORD}".encode()).decode()
                assert client.command("AUTH PLAIN " + token) == 235, client.text
        return client

    def sender(self, server):
        return f"anne@{server.domain}" if self.login else "a@outside.example"


EXCHANGER = SmtpDoor("exchanger", "smtp")
EXCHANGER_TLS = SmtpDoor("exchanger over TLS", "smtp", "starttls")
SUBMISSION = SmtpDoor("submission", "submission", login=True)
SUBMISSION_TLS = SmtpDoor("submission over TLS", "submission", "starttls", login=True)
SUBMISSIONS = SmtpDoor("submissions", "submissions", "implicit", login=True)
LMTP = SmtpDoor("LMTP", "lmtp", hello="LHLO")
DOORS = [EXCHANGER, EXCHANGER_TLS, SUBMISSION, SUBMISSION_TLS, SUBMISSIONS, LMTP]
OUTSIDERS = [EXCHANGER, EXCHANGER_TLS, LMTP]


class Lines(Wire):
    """An IMAP or POP3 client: tagged or single-line answers."""

    def tagged(self, text, tag=b"a"):
        """Sends an IMAP command; all lines up to its tagged reply (or the end)."""
        self.send(tag + b" " + text + b"\r\n")
        return self.until(tag)

    def until(self, tag=b"a"):
        lines = []
        while True:
            line = self.line()
            if not line and self.over:
                return lines
            lines.append(line)
            if line.startswith(tag + b" "):
                return lines

    def pop(self, text):
        self.send(text + b"\r\n")
        return self.line()


def imap(server, login=None, port="imap", tls="none", alpn=None):
    """An IMAP connection, greeted, under TLS if asked, logged in as `login`."""
    client = Lines(getattr(server, port), tls == "implicit", alpn=alpn)
    assert client.line().startswith(b"* OK")
    if tls == "starttls":
        assert client.tagged(b"STARTTLS")[-1].startswith(b"a OK")
        client.start_tls()
    if login:
        done = client.tagged(f'LOGIN {server.address(login)} "{PASSWORD}"'.encode())[-1]
        assert done.startswith(b"a OK"), done
    return client


def pop3(server, login=None, port="pop3", tls="none", alpn=None):
    """A POP3 connection, greeted, under TLS if asked, logged in as `login`."""
    client = Lines(getattr(server, port), tls == "implicit", alpn=alpn)
    assert client.line().startswith(b"+OK")
    if tls == "starttls":
        assert client.pop(b"STLS").startswith(b"+OK")
        client.start_tls()
    if login:
        assert client.pop(f"USER {server.address(login)}".encode()).startswith(b"+OK")
        done = client.pop(f"PASS {PASSWORD}".encode())
        assert done.startswith(b"+OK"), done
    return client
