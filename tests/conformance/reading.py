"""What message_readers.py compares: one message as Facteur reads it, and as other readers do.

All give the same form: "multipart/mixed[text/plain:LENGTH:ADLER32 message/rfc822[...]]", the sums of decoded octets with
LF for all line ends.
"""
import email
import email.policy
import json
import pathlib
import re
import subprocess
import tempfile
import urllib.parse
import zlib


def checksum(octets):
    octets = octets.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return f"{len(octets)}:{zlib.adler32(octets)}"


class Part:
    """One entity as Facteur reads it, with offsets into the message."""

    def __init__(self, told):
        self.type = urllib.parse.unquote_to_bytes(told["type"]).decode("latin-1")
        self.kind = told["kind"]
        self.encoding = urllib.parse.unquote(told["encoding"])
        self.boundary = urllib.parse.unquote_to_bytes(told["boundary"]).rstrip()
        self.header = slice(told["header"][0], sum(told["header"]))
        self.body = slice(told["body"][0], sum(told["body"]))
        self.sum = told["sum"]
        self.parts = [Part(one) for one in told["parts"]]

    def all(self):
        """Itself and all inside, in the order of their headers."""
        yield self
        for part in self.parts:
            yield from part.all()


class Reading:
    """A message as Facteur reads it."""

    def __init__(self, raw, told):
        self.raw = raw
        self.root = Part(told["tree"])
        self.marks = urllib.parse.unquote(told["marks"])
        self.values = {key: urllib.parse.unquote(value, errors="replace") for key, value in told["values"].items()}

    def form(self, part=None, leaf=None, is_leaf=lambda part: False):
        """`leaf`: says how a leaf, or a multipart in which nothing was found, is written; None for the usual.
        `is_leaf`: what else is written as one."""
        part = part or self.root
        if part.kind == "leaf" or (leaf and not part.parts) or is_leaf(part):
            return leaf(self, part) if leaf else f"{part.type}:{part.sum}"
        return f"{part.type}[{' '.join(self.form(one, leaf, is_leaf) for one in part.parts)}]"


class Facteur:
    """The program build/release/message_parts, asked for one message after the other."""

    def __init__(self, program):
        self.running = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.folder = tempfile.TemporaryDirectory()
        self.file = pathlib.Path(self.folder.name) / "message"

    def read(self, raw):
        self.file.write_bytes(raw)
        self.running.stdin.write(f"{self.file}\n")
        self.running.stdin.flush()
        return Reading(raw, json.loads(self.running.stdout.readline()))

    def close(self):
        self.running.stdin.close()
        self.running.wait()
        self.folder.cleanup()


# ---- Python's email package

def fields_and_text(part):
    """A message/* part that is taken apart as headers (and bodies) there: what is in it."""
    blocks = []
    for one in part.get_payload():
        text = "" if one.is_multipart() else one.get_payload().strip()
        if one.keys() or text:  # Blank lines at the end are empty blocks there.
            blocks.append("".join(f"{name}:{value}\n" for name, value in one.items()) + "\n" + text)
    return checksum("\n".join(blocks).encode("utf-8", "surrogateescape"))


def is_taken_apart(kind):
    return kind.startswith("message/") and kind not in ("message/rfc822", "message/global")


class ByPython:
    name = "email"

    def read(self, raw):
        return self.walk(email.message_from_bytes(raw))

    def walk(self, part):
        kind = part.get_content_type()
        payload = part.get_payload()
        if isinstance(payload, list) and is_taken_apart(kind):
            return f"{kind}:{fields_and_text(part)}"
        if isinstance(payload, list):
            return f"{kind}[{' '.join(self.walk(one) for one in payload)}]"
        return f"{kind}:{checksum(part.get_payload(decode=True) or b'')}"

    def ours(self, reading):
        """Our reading, as this reader would write it."""
        return reading.form(leaf=self.leaf)

    @staticmethod
    def leaf(reading, part):
        octets = reading.raw[part.body]
        if is_taken_apart(part.type):  # Taken apart in the same way, from the octets that we found.
            message = email.message_from_bytes(b"Content-Type: " + part.type.encode("latin-1") + b"\n\n" + octets)
            return f"{part.type}:{fields_and_text(message)}"
        return f"{part.type}:{part.sum or checksum(octets)}"

    @staticmethod
    def values(raw):
        """Subject, addresses, date and names of files."""
        message = email.message_from_bytes(raw, policy=email.policy.default)

        def addresses(name):
            field = message[name]
            lines = [a.username + ("@" + a.domain if a.domain else "") + "\n" for a in field.addresses] if field else []
            return "".join(lines)

        def date():
            field = message["date"]
            return str(int(field.datetime.timestamp())) if field and field.datetime else ""

        def files():
            return "".join(f"{p.get_filename()}\n" for p in message.walk() if p.get_filename())

        def tried(read):
            try:
                return read()
            except Exception as error:  # A reader that refuses something differs from us, which never does.
                return f"error: {type(error).__name__}"
        return {"subject": tried(lambda: str(message["subject"] or "")), "from": tried(lambda: addresses("from")),
                "to": tried(lambda: addresses("to")), "cc": tried(lambda: addresses("cc")), "date": tried(date),
                "files": tried(files)}


# ---- GMime

class ByGMime:
    name = "gmime"

    def __init__(self):
        import gi
        gi.require_version("GMime", "3.0")
        from gi.repository import GMime
        GMime.init()
        self.gmime = GMime

    def read(self, raw):
        stream = self.gmime.StreamMem.new_with_buffer(raw)
        message = self.gmime.Parser.new_with_stream(stream).construct_message(None)
        part = message.get_mime_part() if message else None
        return self.walk(part) if part else "none"

    def walk(self, part):
        kind = part.get_content_type()
        name = f"{kind.get_media_type()}/{kind.get_media_subtype()}".lower() if kind else "text/plain"
        if isinstance(part, self.gmime.Multipart):
            return f"{name}[{' '.join(self.walk(part.get_part(i)) for i in range(part.get_count()))}]"
        if isinstance(part, self.gmime.MessagePart):
            inner = part.get_message()
            return f"{name}[{self.walk(inner.get_mime_part()) if inner else ''}]"
        content = part.get_content() if isinstance(part, self.gmime.Part) else None
        stream = self.gmime.StreamMem.new()
        if content:
            content.write_to_stream(stream)
        return f"{name}:{checksum(bytes(stream.get_byte_array() or b''))}"

    @staticmethod
    def ours(reading):
        return reading.form()


# ---- Ruby's mail library

class ByRuby:
    name = "ruby"

    def __init__(self):
        script = pathlib.Path(__file__).with_name("by_ruby.rb")
        self.running = subprocess.Popen(["ruby", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        self.folder = tempfile.TemporaryDirectory()
        self.file = pathlib.Path(self.folder.name) / "message"
        if not self.told(b"Subject: x\n\ny\n"):
            raise ImportError("ruby-mail")

    def told(self, raw):
        self.file.write_bytes(raw)
        try:
            self.running.stdin.write(f"{self.file}\n")
            self.running.stdin.flush()
            return json.loads(self.running.stdout.readline() or "null")
        except BrokenPipeError:
            return None

    def read(self, raw):
        return self.told(raw)["form"]

    def values(self, raw):
        return self.told(raw)["values"]

    @staticmethod
    def ours(reading):
        return reading.form(leaf=ByRuby.leaf, is_leaf=lambda part: part.kind == "message")

    @staticmethod
    def leaf(reading, part):
        """A message inside is not taken apart there."""
        return f"{part.type}:{part.sum or checksum(reading.raw[part.body])}"


def readers():
    """Those that are installed."""
    found = []
    for reader, packages in ((ByPython, ""), (ByGMime, "python3-gi, gir1.2-gmime-3.0"), (ByRuby, "ruby-mail")):
        try:
            found.append(reader())
        except (ImportError, ValueError, FileNotFoundError):
            print(f"left out: {reader.__name__} (Debian: {packages})")
    return found
