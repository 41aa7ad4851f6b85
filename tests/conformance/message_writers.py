#!/usr/bin/env python3
"""Messages written by `facteur message compose`, read by Python's email package: what was put in comes out.

  message_writers.py PROGRAM [COUNT]

Random senders, names, subjects, texts, files, forwards; the same seeds each time. Where Python differs from the RFC, the
comparison says so beside it.
"""
import email
import email.policy
import pathlib
import random
import subprocess
import sys
import tempfile

WORDS = ["word", "été", "日本語", "😀", "Привет", "a", "(comment)", "<a@b>", ",", ";", "=20", "--", "From", "%41", "'",
         "x" * 90, "=?utf-8?q?x?=", "\\", "\"quoted\""]
POLICY = email.policy.SMTP


def words(chance, most, blanks=True):
    out = [chance.choice(WORDS) for _ in range(chance.randrange(most + 1))]
    return ("  " if blanks and chance.random() < 0.1 else " ").join(out)


def text(chance):
    starts = ["", "", "> ", " ", ".", "From ", "--=_x", "-- "]
    return "".join(chance.choice(starts) + words(chance, 30) + "\n" for _ in range(chance.randrange(1, 12)))


def octets(chance):
    return text(chance).encode() if chance.random() < 0.5 else chance.randbytes(chance.randrange(400))


def quoted(name):
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Case:
    """One message: how it is asked for, and what must be read."""

    def __init__(self, seed, folder):
        self.chance = random.Random(seed)
        self.folder = folder / str(seed)
        self.folder.mkdir()
        self.utf8 = self.chance.random() < 0.3
        self.eight = self.chance.random() < 0.3
        self.arguments = ["--from", "Zoé <zoe@example.org>"]
        # Python decodes display names twice: a name that looks like an encoded word would be one.
        self.names = [words(self.chance, 4, False).replace("=?utf-8?q?x?=", "x") for _ in range(self.chance.randrange(4))]
        for i, name in enumerate(self.names):
            address = "jürgen@example.org" if self.utf8 and i == 0 else f"a{i}@b.example"
            self.arguments += ["--to", f"{quoted(name)} <{address}>" if name else address]
        self.subject = words(self.chance, 20, False)
        self.arguments += ["--subject", self.subject] if self.subject else []
        self.text = self.file("text", text(self.chance).encode(), "--text") if self.chance.random() < 0.8 else None
        self.html = self.file("html", ("<p>" + text(self.chance)).encode(), "--html") if self.chance.random() < 0.4 else None
        self.images = []
        while self.html and self.chance.random() < 0.5:
            name = f"image {len(self.images)}.png"
            path = self.folder / name
            path.write_bytes(octets(self.chance))
            self.arguments += ["--inline", f"c{len(self.images)}@example.org={path}"]
            self.images.append((name, path.read_bytes()))
        self.files = []
        while self.chance.random() < 0.5:
            name = self.chance.choice(["été {}.pdf", "plain{}.txt", "日本語日本語日本語日本語日本語日本語{}.bin",
                                       "a \"quoted\" {}'%.png", "long" + "n" * 150 + "{}.doc"]).format(len(self.files))
            path = self.folder / name
            path.write_bytes(octets(self.chance))
            self.arguments += ["--attach", str(path)]
            self.files.append((name, path.read_bytes()))
        self.forward = None
        if self.chance.random() < 0.3:
            self.forward = b"From: a@b.example\r\nSubject: =?utf-8?q?=C3=A9?=\r\n\r\n" + b"body \xe9\r\n"[:self.chance.choice([5, 8])] + b"\r\n"
            self.file("forward", self.forward, "--forward")
        self.arguments += ["--utf8"] if self.utf8 else []
        self.arguments += ["--8bit"] if self.eight else []

    def file(self, name, content, option):
        path = self.folder / name
        path.write_bytes(content)
        self.arguments += [option, str(path)]
        return content.decode(errors="replace")


def in_utf8(text):
    """Python keeps raw octets of headers as surrogates in some places."""
    return text.encode("utf-8", "surrogateescape").decode()


def is_python_only(name, defect):
    """What Python calls a defect and is none, or is meant."""
    kind = type(defect).__name__
    # RFC 6532 §3.2: headers may be UTF-8. Python says so of them when it is given octets.
    if kind in ("UndecodableBytesDefect", "NonASCIILocalPartDefect"):
        return True
    # The name for programs that do not know RFC 2231: an encoded word in a quoted string.
    return name.lower() == "content-type" and kind == "InvalidHeaderDefect" and "encoded" in str(defect)


def lines(content):
    return content.replace("\r\n", "\n").replace("\n", "\r\n")


def body(part):
    return part.get_payload(decode=True)


def check(case, raw):
    """Yields what is wrong."""
    if b"\n" in raw.replace(b"\r\n", b"") or b"\r" in raw.replace(b"\r\n", b""):
        yield "bare line ends"
    if max(map(len, raw.split(b"\r\n"))) > 998 or (not case.utf8 and not case.eight and not raw.isascii()):
        yield "lines too long, or not ASCII"
    message = email.message_from_bytes(raw, policy=POLICY)
    for part in message.walk():
        if part.defects:
            yield f"defects {part.defects}"
        for name, value in part.items():
            defects = [one for one in getattr(value, "defects", ()) if not is_python_only(name, one)]
            if defects:
                yield f"{name}: {defects}"
    subject = case.subject or ("Fwd: é" if case.forward else "")
    if str(message["Subject"]) != subject:
        yield f"Subject {message['Subject']!r} is not {subject!r}"
    got = [in_utf8(address.display_name) for address in message["To"].addresses] if case.names else []
    # RFC 2047 §6.2: blanks between encoded words are not shown. Python shows them in display names.
    if [name.replace(" ", "") for name in got] != [name.replace(" ", "") for name in case.names]:
        yield f"names {got!r} are not {case.names!r}"
    leaves = [part for part in message.walk() if not part.is_multipart() and part.get_content_type() != "message/global"]
    if case.forward:  # The parts of the forwarded message come last.
        inner = [part for part in message.walk() if part.get_content_type() in ("message/rfc822", "message/global")]
        if len(inner) != 1:
            yield "forwarded message lost"
        elif inner[0].get_content_type() == "message/rfc822":
            leaf = leaves.pop()
            if body(leaf).replace(b"\r\n", b"\n") != case.forward.split(b"\r\n\r\n", 1)[1].replace(b"\r\n", b"\n"):
                yield f"forwarded body {body(leaf)!r}"
    wanted = [lines(one).encode() for one in (case.text, case.html) if one is not None]
    wanted += [content for _, content in case.images + case.files]
    if [body(leaf) for leaf in leaves] != (wanted or [b""] if not case.forward else wanted):
        yield f"bodies {[body(leaf) for leaf in leaves]!r} are not {wanted!r}"
    names = [in_utf8(leaf.get_filename()) for leaf in leaves if leaf.get_filename() is not None]
    if names != [name for name, _ in case.images + case.files]:
        yield f"file names {names!r}"
    ids = [str(leaf["Content-ID"]) for leaf in leaves if leaf["Content-ID"]]
    if ids != [f"<c{i}@example.org>" for i in range(len(case.images))]:
        yield f"content ids {ids}"


def main():
    program = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(count):
            case = Case(seed, pathlib.Path(folder))
            done = subprocess.run([program, "message", "compose", *case.arguments], capture_output=True)
            problems = [done.stderr.decode()] if done.returncode else list(check(case, done.stdout))
            for problem in problems:
                print(f"seed {seed}: {problem}")
            failed += bool(problems)
    print(f"{count} messages written, {failed} read otherwise by Python's email package")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
