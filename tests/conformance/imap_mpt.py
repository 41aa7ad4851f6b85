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


# Codes whose argument is of this server's making, or that may be absent: the name alone counts.
NAME_ONLY = {"UIDVALIDITY", "UIDNEXT", "HIGHESTMODSEQ", "MAILBOXID", "UNSEEN", "CAPABILITY", "BADCHARSET", "APPENDUID",
             "COPYUID", "MODIFIED"}


def status_parts(text):
    """(tag, word, name of the code, words of its argument) of a status line or of a pattern of one; None: it is none."""
    plain = text.replace("\\", "").replace("(", " ( ").replace(")", " ) ")
    found = re.match(r"^(\S+) (OK|NO|BAD|BYE|PREAUTH)\b(.*)", plain, re.S)
    if not found:
        return None
    code = re.match(r"^[ (?]*\[([A-Za-z-]+)([^\]]*)", found.group(3))
    if not code:
        return found.group(1), found.group(2), None, frozenset()
    name = code.group(1).upper()
    words = frozenset() if name in NAME_ONLY else frozenset(
        word.lower() for word in re.findall(r"[A-Za-z$][\w$-]*", code.group(2)) if word.lower() != "recent")
    return found.group(1), found.group(2), name, words


def same_status(pattern, line):
    wanted, came = status_parts(pattern), status_parts(line)
    if wanted is None or came is None or wanted[:2] != came[:2]:
        return False
    # A code that the other server left out is no difference on a tagged line; an untagged one is known by its code.
    if wanted[2] == came[2] == "PERMANENTFLAGS" and not came[3]:
        return True  # RFC 9051 §7.1: none of them can be changed in a mailbox opened read-only.
    if wanted[2] is None:
        return came[2] in (None, "CAPABILITY") or wanted[0] != "*"
    open_ended = ".*" in pattern  # The words it names are among those that came.
    return wanted[2] == came[2] and (wanted[3] <= came[3] if open_ended else wanted[3] == came[3])


def sorted_lists(text, opening, closing):
    """The words of each innermost list in alphabetical order; \\Recent left out."""
    def order(found):
        words = [word for word in found.group(1).split(" ") if word.lower().lstrip("\\") != "recent"]
        return opening + " ".join(sorted(words, key=str.lower)) + closing
    inner = f"{re.escape(opening)}((?:(?!{re.escape(opening)}|{re.escape(closing)}).)*){re.escape(closing)}"
    return re.sub(inner, order, text)


def same(pattern, line):
    if re.match(r"^\\\+", pattern):
        return line.startswith("+")
    try:
        if re.fullmatch(pattern, line, re.I):
            return True
        if status_parts(pattern) is not None:
            return same_status(pattern, line)
        if "FETCH" in pattern and "{" in pattern and "FLAGS" not in line:
            # FLAGS that a FETCH has changed may stand behind what was asked for.
            pattern = re.sub(r"FLAGS \\\(.*?\\\) ", "", pattern)
        if not line.startswith("*"):
            line = re.sub(r" FLAGS \([^()]*\)\)$", ")", line)
        # Quotes around words, the order of flags, and the separator of levels ("." there, "/" here) do not count.
        pattern = sorted_lists(pattern.replace('\\"', "").replace('"', "").replace("\\.", "[./]"), "\\(", "\\)")
        line = sorted_lists(line.replace('"', ""), "(", ")")
        return re.fullmatch(pattern, line, re.I) is not None or re.fullmatch(
            re.sub(r"(?<=\w)\.(?=\w)", "/", pattern), line, re.I) is not None
    except re.error:
        return pattern == line


# Levels of mailbox names are separated by "/" here and by "." in the scripts.
NAMING = re.compile(r"^\S+ (?:CREATE|DELETE|RENAME|LIST|LSUB|SUBSCRIBE|UNSUBSCRIBE|SELECT|EXAMINE|STATUS|APPEND)\b", re.I)


COMMAND = re.compile(r"^[A-Za-z0-9]+ (?:UID )?(?:STORE|LSUB|FETCH|SEARCH)\b", re.I)


def as_command(line):
    if COMMAND.match(line):  # RFC 9051 §9: one space between arguments, none behind them.
        line = re.sub(r" +", " ", line).rstrip(" ")
    tag, space, rest = line.partition(" ")
    return tag + space + re.sub(r"(?<=[\w%*])\.(?=[\w%*])", "/", rest) if NAMING.match(line) else line


# RFC 9051 §9: a list of FETCH items is not empty.
IMPOSSIBLE = re.compile(r"FETCH \S+ \(\)$")


def removed(lines):
    """Which messages EXPUNGE responses take away, by the numbers before the first of them."""
    left = list(range(1, 1000))
    return sorted(left.pop(int(found.group(1)) - 1)
                  for found in (re.match(r"\\?\* (\d+) EXPUNGE$", line) for line in lines) if found)


def exchange(connection, sent, wanted):
    """Plays one exchange; what is missing, or nothing."""
    connection.send(sent)
    # How many are recent is for each server to say (RFC 3501 §2.3.2).
    wanted = [pattern for pattern in wanted if not re.match(r"\\\* \S+ RECENT$", pattern)]
    if not wanted:
        return None
    last = wanted[-1]
    came = []
    open_patterns = list(wanted)
    while open_patterns:
        ended = came and re.match(r"^[^*+]\S* (OK|NO|BAD)\b", came[-1])
        if ended and all(pattern.endswith(" EXPUNGE") for pattern in open_patterns) and removed(came) == removed(wanted):
            return None  # RFC 9051 §7.5.1: in any order, each with the number the message has then.
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
        sent = [as_command(re.sub(r"\bimapuser\b", address, line)) for line in sent]
        if any(IMPOSSIBLE.search(line) for line in sent):
            continue
        trouble = exchange(connections[session], sent, wanted)
        if trouble:
            return trouble
    return None


def explanations():
    """Script -> why it cannot pass here."""
    path = pathlib.Path(__file__).with_name("imap_mpt_explained.tsv")
    lines = [line.split("\t") for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return {script: reason for script, reason in lines}


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("corpus")
    parser.add_argument("--domain", default="example.test")
    parser.add_argument("--make")
    parser.add_argument("--prefix", default="mpt", help="of the accounts' names")
    parser.add_argument("--only")
    parser.add_argument("-v", action="store_true")
    arguments = parser.parse_args(words)
    table = (pathlib.Path(arguments.corpus) / "PRECONDITIONS.tsv").read_text().splitlines()[1:]
    explained = explanations()
    count = {"pass": 0, "FAIL": 0, "explained": 0}
    for number, line in enumerate(table):
        script, suite, before, needs, dovecot = (line.split("\t") + [""] * 5)[:5]
        path = pathlib.Path(arguments.corpus) / "scripts" / (script + ".test")
        if "Boby" in needs or "delegate" in needs or not path.exists() or (arguments.only and script != arguments.only):
            continue
        address = f"{arguments.prefix}{number}@{arguments.domain}"
        if arguments.make:
            subprocess.run(arguments.make.format(address), shell=True, input=b"password\n", capture_output=True)
        trouble = play(arguments, {"script": script, "before": before}, address)
        result = "pass" if trouble is None else "explained" if script in explained else "FAIL"
        count[result] += 1
        print(f"{result} {suite}/{script} (Dovecot: {dovecot})")
        if result == "explained":
            print("    " + explained[script])
        if trouble and (arguments.v or result == "FAIL"):
            print("    " + trouble[:1500])
    print(f"{count['pass']} passed, {count['explained']} explained, {count['FAIL']} failed")
    return 1 if count["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
