#!/usr/bin/env python3
"""Compares the parts of all messages of the corpora with what Python's email package and GMime read.

  message_readers.py PROGRAM [CORPORA] [--show]        (python3 of Debian: it has the bindings of GMime)

PROGRAM is build/release/message_parts. A message that another reader understands otherwise should carry a mark of
ambiguity here (docs/ambiguous-mime.md): differences are counted by marks, and those without any are listed in
EXPLAINED with their reason, checked in both directions. GMime is left out where python3-gi or gir1.2-gmime-3.0 is not
installed.
"""
import collections
import email
import os
import pathlib
import subprocess
import sys
import zlib

FOLDERS = ["mime-jwz/input", "mime4j", "mime-gmime/partial", "mime-mimekit/messages", "mime-mail-parser/eml",
           "mime-summary/summary/input", "mime-python", "mime-ruby-mail", "eai-arnt", "reports-mail-auth",
           "reports-parsedmarc", "rspamd-messages", "bounces-sisimai", "threads-notmuch"]
SUFFIXES = {".json", ".xml", ".bin", ".jpg", ".zip", ".gz", ".au", ".wav", ".out", ".png", ".pbm", ".pgm", ".ppm",
            ".sgi", ".webp", ".xbm", ".md", ".gif"}


def checksum(octets):
    octets = octets.replace(b"\r", b"")
    return f"{len(octets)}:{zlib.adler32(octets)}"


def leaf(kind, octets):
    return f"{kind}:{checksum(octets)}"


# ---- Python's email package

def by_python(path):
    def walk(part):
        kind = part.get_content_type()
        payload = part.get_payload()
        if kind.startswith("message/") and kind not in ("message/rfc822", "message/global"):
            return f"{kind}:?"  # Taken apart as headers there: only the type is compared.
        if isinstance(payload, list):
            return f"{kind}[{' '.join(walk(one) for one in payload)}]"
        return leaf(kind, part.get_payload(decode=True) or b"")
    return walk(email.message_from_bytes(path.read_bytes()))


# ---- GMime

def gmime():
    try:
        import gi
        gi.require_version("GMime", "3.0")
        from gi.repository import GMime
    except (ImportError, ValueError):
        return None
    GMime.init()

    def walk(part):
        kind = part.get_content_type()
        name = f"{kind.get_media_type()}/{kind.get_media_subtype()}".lower() if kind else "text/plain"
        if isinstance(part, GMime.Multipart):
            return f"{name}[{' '.join(walk(part.get_part(i)) for i in range(part.get_count()))}]"
        if isinstance(part, GMime.MessagePart):
            inner = part.get_message()
            return f"{name}[{walk(inner.get_mime_part()) if inner else ''}]"
        content = part.get_content() if isinstance(part, GMime.Part) else None
        stream = GMime.StreamMem.new()
        if content:
            content.write_to_stream(stream)
        return leaf(name, bytes(stream.get_byte_array() or b""))

    def read(path):
        stream = GMime.StreamMem.new_with_buffer(path.read_bytes())
        message = GMime.Parser.new_with_stream(stream).construct_message(None)
        part = message.get_mime_part() if message else None
        return walk(part) if part else "none"
    return read


def shape(parts):
    """Types and nesting only."""
    out = []
    for word in parts.replace("[", " [ ").replace("]", " ] ").split():
        out.append(word.split(":")[0])
    return " ".join(out)


def main():
    arguments = [a for a in sys.argv[1:] if not a.startswith("--")]
    program = arguments[0]
    root = pathlib.Path(arguments[1] if len(arguments) > 1 else os.environ.get("FACTEUR_CORPORA", "../shared/corpora"))
    paths = [p for folder in FOLDERS for p in sorted((root / folder).glob("**/*"))
             if p.is_file() and p.suffix not in SUFFIXES and p.name != "ORIGIN.txt"]
    if not paths:
        print("skipped: the corpora are not here")
        return 0
    done = subprocess.run([program], input="\n".join(map(str, paths)) + "\n", capture_output=True, text=True, check=True)
    ours = {}
    for line in done.stdout.splitlines():
        path, parts, marks = line.split("\t")
        ours[pathlib.Path(path)] = (parts, marks)
    readers = {"email": by_python}
    if reader := gmime():
        readers["gmime"] = reader
    failed = False
    for name, read in readers.items():
        same = same_shape = 0
        marked = collections.Counter()
        unmarked = []
        for path in paths:
            try:
                theirs = read(path)
            except Exception as error:  # A reader that refuses a message differs from us, which never does.
                theirs = f"error: {type(error).__name__}"
            parts, marks = ours[path]
            if theirs == parts:
                same += 1
            elif shape(theirs) == shape(parts):
                same_shape += 1
            elif marks:
                marked[marks] += 1
            else:
                unmarked.append(str(path.relative_to(root)))
                if "--show" in sys.argv:
                    print(f"{path}\n  ours:   {parts}\n  {name}: {theirs}")
        print(f"{name}: {len(paths)} messages: {same} the same parts and octets, {same_shape} the same parts,"
              f" {sum(marked.values())} others with a mark, {len(unmarked)} others without")
        for marks, count in marked.most_common():
            print(f"  {count:4} {marks}")
        listed = {path for path in EXPLAINED.get(name, {})} & {str(p.relative_to(root)) for p in paths}
        for path in sorted(set(unmarked) ^ listed):
            failed = True
            print(f"  {'listed, but the same' if path in listed else 'not explained'}: {path}")
    return 1 if failed else 0


# Messages read otherwise by a reader, without a mark of ours: why.
EMPTY_PARTS = "delimiters one behind the other: an empty part here (RFC 2046 §5.1.1), none there"
NO_PARTS = "a multipart in which no part was found: a leaf there"
NOTHING = "no octet or no field: GMime gives no message, or no part"
EXPLAINED = {
    "email": {
        "mime-python/msg_37.txt": EMPTY_PARTS,
        "mime4j/mimetools-testmsgs/2002_06_12_doublebound.msg": EMPTY_PARTS,
        "mime-python/msg_42.txt": NO_PARTS,
        "mime4j/testmsgs/missing-inner-start-boundary.msg": NO_PARTS,
    },
    "gmime": {
        "mime-python/msg_37.txt": EMPTY_PARTS,
        "mime4j/mimetools-testmsgs/2002_06_12_doublebound.msg": EMPTY_PARTS,
        "mime4j/testmsgs/multipartemptypart.msg": EMPTY_PARTS,
        "bounces-sisimai/mailbox/size-0": NOTHING,
        "mime4j/mimetools-testmsgs/2002_06_12_doublebound_decoded_1_2.txt": NOTHING,
        "mime4j/testmsgs/missing-inner-boundary_decoded_1_2_1.txt": NOTHING,
        "mime4j/testmsgs/multipartdigestnestedemptyparts_decoded_1_1_1_1.txt": NOTHING,
        "mime4j/testmsgs/multipartemptypart_decoded_1_1.txt": NOTHING,
        "mime4j/testmsgs/multipartemptypart_decoded_1_2.txt": NOTHING,
        "mime4j/testmsgs/multipartnestedemptyparts_decoded_1_1_1_1.txt": NOTHING,
    },
}

if __name__ == "__main__":
    sys.exit(main())
