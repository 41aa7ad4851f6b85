#!/usr/bin/env python3
"""Plays James's MPT scripts for IMAP against a running server: imap_mpt.py HOST PORT CORPUS [--only NAME] [-v].

A fresh account is needed for each script: accounts mpt0@DOMAIN, mpt1@DOMAIN... with the password "password" must exist
(--domain, default example.test; --make COMMAND makes one, with {} for its address). Rules of comparison, as
FORMATS.md of the corpora asks: of OK, NO, BAD, BYE and PREAUTH only status and response code count; untagged lines of one
command may come in any order; lines nobody asked for are passed over; \\Recent does not count.
Prints one line for each script and the number that passed; only scripts that need no second account are played.
"""
import argparse
import pathlib
import re
import socket
import subprocess
import sys

STATUS = re.compile(r"^(\S+) (OK|NO|BAD|BYE|PREAUTH)\b")


def steps(path):
    """(session, sent lines, expected regular expressions) for each exchange of a script."""
    out, session, sent, wanted = [], 1, [], []
    for raw in path.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        if raw.startswith("C:"):
            if wanted:
                out.append((session, sent, wanted))
                sent, wanted = [], []
            sent.append(raw[3:])
        elif raw.startswith("S:"):
            wanted.append(raw[3:])
        elif raw.startswith("SESSION:"):
            if sent or wanted:
                out.append((session, sent, wanted))
                sent, wanted = [], []
            session = int(raw.split(":")[1])
    if sent or wanted:
        out.append((session, sent, wanted))
    return out


class Connection:
    def __init__(self, host, port):
        self.socket = socket.create_connection((host, port), timeout=1)
        self.file = self.socket.makefile("rb")

    def line(self):
        return self.file.readline().decode("utf-8", "surrogateescape").rstrip("\r\n")

    def send(self, lines):
        self.socket.sendall("".join(line + "\r\n" for line in lines).encode("utf-8", "surrogateescape"))


def status_part(pattern):
    """The pattern of a status line without its prose; nothing if it is another line."""
    found = re.match(r"^(\S+|\\\*) (OK|NO|BAD|BYE|PREAUTH)\b", pattern)
    if not found:
        return None
    rest = pattern[found.end():]
    code = re.match(r"^( \(?\\\[.*\\\](?:\s?\)\?)?)", rest)
    return pattern[:found.end()] + (code.group(1) if code else "")


def sorted_lists(text, opening, closing):
    """The words of each innermost list in alphabetical order; \\Recent left out."""
    def order(found):
        words = [word for word in found.group(1).split(" ") if word.lower().lstrip("\\") != "recent"]
        return opening + " ".join(sorted(words, key=str.lower)) + closing
    inner = f"{re.escape(opening)}((?:(?!{re.escape(opening)}|{re.escape(closing)}).)*){re.escape(closing)}"
    return re.sub(inner, order, text)


def same(pattern, line):
    short = status_part(pattern)
    if re.match(r"^\\\+", pattern):
        return line.startswith("+")
    try:
        if re.fullmatch(pattern, line, re.I):
            return True
        if short is not None:
            return re.match(short, line, re.I) is not None or re.match(
                sorted_lists(short, "\\(", "\\)"), sorted_lists(line, "(", ")"), re.I) is not None
        pattern = sorted_lists(pattern.replace('\\"', "").replace('"', "").replace("\\.", "[./]"), "\\(", "\\)")
        return re.fullmatch(pattern, sorted_lists(line.replace('"', ""), "(", ")"), re.I) is not None
    except re.error:
        return pattern == line


def exchange(connection, sent, wanted):
    """Plays one exchange; what is missing, or nothing."""
    connection.send(sent)
    if not wanted:
        return None
    last = wanted[-1]
    came = []
    open_patterns = list(wanted)
    while open_patterns:
        try:
            line = connection.line()
        except (socket.timeout, OSError):
            return f"{sent[-1:]}: wanted {open_patterns[0]!r}, got {came}"
        came.append(line)
        for pattern in open_patterns:
            if same(pattern, line):
                open_patterns.remove(pattern)
                break
        else:
            tagged = STATUS.match(line)
            if line == "" and not connection.file.peek(1):
                return f"{sent[-1:]}: closed; wanted {open_patterns[0]!r}, got {came}"
            if tagged and tagged.group(1) != "*" and not re.match(r"^\\?\+", last):
                return f"{sent[-1:]}: wanted {open_patterns[0]!r}, got {came}"
    return None


def play(arguments, row, address):
    scripts = pathlib.Path(arguments.corpus) / "scripts"
    before = row["before"]
    connections = {}
    exchanges = []
    if "SelectedStateSetup" in before:
        exchanges += steps(scripts / "SelectedStateSetup.test")
    exchanges += steps(scripts / (row["script"] + ".test"))
    for session, sent, wanted in exchanges:
        if session not in connections:
            connections[session] = Connection(arguments.host, arguments.port)
            if "greeting" in before:
                connections[session].line()
            if "LOGIN" in before:
                trouble = exchange(connections[session], [f"setup LOGIN {address} password"], ["setup OK"])
                if trouble:
                    return trouble
            if "SELECT inbox" in before:
                exchange(connections[session], ["setup SELECT inbox"], ["setup OK"])
        sent = [re.sub(r"\bimapuser\b", address, line) for line in sent]
        trouble = exchange(connections[session], sent, wanted)
        if trouble:
            return trouble
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("corpus")
    parser.add_argument("--domain", default="example.test")
    parser.add_argument("--make")
    parser.add_argument("--only")
    parser.add_argument("-v", action="store_true")
    arguments = parser.parse_args()
    table = (pathlib.Path(arguments.corpus) / "PRECONDITIONS.tsv").read_text().splitlines()[1:]
    passed = played = 0
    for number, line in enumerate(table):
        script, suite, before, needs, dovecot = (line.split("\t") + [""] * 5)[:5]
        path = pathlib.Path(arguments.corpus) / "scripts" / (script + ".test")
        if "Boby" in needs or "delegate" in needs or not path.exists() or (arguments.only and script != arguments.only):
            continue
        address = f"mpt{number}@{arguments.domain}"
        if arguments.make:
            subprocess.run(arguments.make.format(address), shell=True, input=b"password\n", capture_output=True)
        played += 1
        trouble = play(arguments, {"script": script, "before": before}, address)
        passed += trouble is None
        print(f"{'pass' if trouble is None else 'FAIL'} {suite}/{script} (Dovecot: {dovecot})")
        if trouble and arguments.v:
            print("    " + trouble[:1500])
    print(f"{passed} of {played} passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
