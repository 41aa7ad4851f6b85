#!/usr/bin/env python3
"""Compares the parts of all messages of the corpora with what Python's email package and GMime read.

  message_readers.py PROGRAM [CORPORA] [--show]        (python3 of Debian: it has the bindings of GMime)

Of the corpora in VALUES also subject, addresses, date and names of files are compared with those of Python's email
package; counts are printed for each corpus.

PROGRAM is build/release/message_parts. A message that another reader understands otherwise should carry a mark of
ambiguity here (docs/ambiguous-mime.md): differences are counted by marks, and those without any are listed in
EXPLAINED with their reason, checked in both directions. GMime is left out where python3-gi or gir1.2-gmime-3.0 is not
installed.
"""
import collections
import email
import email.policy
import os
import pathlib
import subprocess
import sys
import urllib.parse
import zlib

FOLDERS = ["mime-jwz/input", "mime4j", "mime-gmime/partial", "mime-mimekit/messages", "mime-mail-parser/eml",
           "mime-summary/summary/input", "mime-python", "mime-ruby-mail", "eai-arnt", "reports-mail-auth",
           "reports-parsedmarc", "rspamd-messages", "bounces-sisimai", "threads-notmuch"]
VALUES = ["mime-python", "mime-ruby-mail", "rspamd-messages", "reports-mail-auth", "reports-parsedmarc", "mime4j",
          "mime-gmime", "mime-jwz", "mime-mimekit", "mime-mail-parser"]
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


def values_by_python(path):
    """Subject, addresses, date and names of files; words and lines only, as folds and blanks are read differently."""
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)

    def addresses(name):
        field = message[name]
        return "".join(a.username + ("@" + a.domain if a.domain else "") + "\n" for a in field.addresses) if field else ""

    def date():
        field = message["date"]
        return str(int(field.datetime.timestamp())) if field and field.datetime else ""

    def tried(read):
        try:
            return read()
        except Exception as error:  # As above: a reader that refuses something.
            return f"error: {type(error).__name__}"
    return {"subject": tried(lambda: str(message["subject"] or "")),
            "from": tried(lambda: addresses("from")), "to": tried(lambda: addresses("to")),
            "cc": tried(lambda: addresses("cc")), "date": tried(date),
            "files": tried(lambda: "".join(f"{p.get_filename()}\n" for p in message.walk() if p.get_filename()))}


def compare_values(root, ours):
    """Prints what came out for each corpus; True if all that differs is explained."""
    good = True
    for corpus in VALUES:
        same, differ = 0, set()
        for path in sorted(ours):
            name = str(path.relative_to(root))
            if not name.startswith(corpus + "/"):
                continue
            mine = dict(pair.split("=", 1) for pair in ours[path][2].split("&"))
            theirs = values_by_python(path)
            for key, value in theirs.items():
                got = urllib.parse.unquote(mine[key], errors="replace")
                if got.split() == value.split():
                    same += 1
                else:
                    differ.add(f"{name} {key}")
                    if "--show" in sys.argv:
                        print(f"{name} {key}\n  ours:  {got!r}\n  email: {value!r}")
        explained = {case for case in EXPLAINED_VALUES if case.startswith(corpus + "/")}
        print(f"{corpus}: {same} values as Python's email reads them, {len(differ)} otherwise, {len(differ & explained)} of them explained")
        for case in sorted(differ ^ explained):
            good = False
            print(f"  {'explained, but the same' if case in explained else 'not explained'}: {case}")
    return good


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


def corpora():
    """As the tests of src/message find them: beside the checkout, or beside a folder above it."""
    if found := os.environ.get("FACTEUR_CORPORA"):
        return pathlib.Path(found)
    above = [folder / "shared/corpora" for folder in pathlib.Path(__file__).resolve().parents]
    return next((folder for folder in above if folder.is_dir()), pathlib.Path("../shared/corpora"))


def main():
    arguments = [a for a in sys.argv[1:] if not a.startswith("--")]
    program = arguments[0]
    root = pathlib.Path(arguments[1]) if len(arguments) > 1 else corpora()
    paths = [p for folder in FOLDERS for p in sorted((root / folder).glob("**/*"))
             if p.is_file() and p.suffix not in SUFFIXES and p.name != "ORIGIN.txt"]
    if not paths:
        print("skipped: the corpora are not here")
        return 0
    done = subprocess.run([program], input="\n".join(map(str, paths)) + "\n", capture_output=True, text=True, check=True)
    ours = {}
    for line in done.stdout.splitlines():
        path, parts, marks, values = line.split("\t")
        ours[pathlib.Path(path)] = (parts, marks, values)
    readers = {"email": by_python}
    if reader := gmime():
        readers["gmime"] = reader
    failed = not compare_values(root, ours)
    for name, read in readers.items():
        same = same_shape = 0
        marked = collections.Counter()
        unmarked = []
        for path in paths:
            try:
                theirs = read(path)
            except Exception as error:  # A reader that refuses a message differs from us, which never does.
                theirs = f"error: {type(error).__name__}"
            parts, marks, _ = ours[path]
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

# Values read otherwise by Python's email: why.
ENCODED_NAME = "a name in encoded words inside a parameter: against RFC 2047 §5, and what most mail programs write"
RAW = "raw octets: read in the charset of the text, or windows-1252, here; U+FFFD there"
NO_FIELD = "a line that is no field ends the header there; here it is passed over (RFC 5322 §2.2)"
BYTE_ORDER_MARK = "a byte order mark in front of the header: passed over here, the end of the header there"
PATH = "the path of a file's name is left out here (RFC 2183 §2.3)"
ALL_PARTS = "a part that is not taken apart there"
EMPTY_FIELD = "an empty list of addresses is an error there"
EXPLAINED_VALUES = {
    "mime-ruby-mail/attachment_emails/attachment_with_base64_encoded_name.eml files": ENCODED_NAME,
    "mime-ruby-mail/mime_emails/raw_email_with_binary_encoded.eml files": ENCODED_NAME,
    "mime4j/testmsgs/russian-headers.msg files": ENCODED_NAME,
    "rspamd-messages/fname.eml files": ENCODED_NAME,
    "mime-ruby-mail/error_emails/invalid_subject_characters.eml subject": RAW,
    "mime4j/mimetools-testmsgs/infinite_decoded_1.txt subject": "an encoded word without a charset is none (RFC 2047 §2)",
    "mime4j/mimetools-testmsgs/multi-2evil.msg files": PATH,
    "mime4j/mimetools-testmsgs/multi-nested2.msg files": PATH,
    "mime-jwz/input/mbox/jwz/144 files": PATH,
    "mime-jwz/input/mbox/jwz/45 files": PATH,
    "mime-mail-parser/eml/rfc/001.eml files": PATH,
    "mime-mimekit/messages/disposition-notification.anonymized.eml date":
        "a comment in front of the zone, which RFC 5322 §4.3 allows: the zone is not seen there",
    "mime-gmime/partial/input/photo-discuss/message-partial.0.eml files":
        "a piece of a message is taken apart as one there (RFC 2046 §5.2.2: it is opaque)",
    "mime-jwz/input/mbox/jwz/117 files": ALL_PARTS,
    "mime-jwz/input/mbox/jwz/5 files": ALL_PARTS,
    "mime-jwz/input/mbox/jwz/132 to": EMPTY_FIELD,
    "mime-mimekit/messages/delivery-status-no-blank-line.txt to": EMPTY_FIELD,
    "mime-mimekit/messages/delivery-status.txt to": EMPTY_FIELD,
    **{f"mime-ruby-mail/rfc2822/example13.eml {key}": NO_FIELD for key in ("subject", "from", "to")},
    **{f"rspamd-messages/phish_sender2.eml {key}": NO_FIELD for key in ("subject", "from", "to", "date")},
    **{f"mime-mimekit/messages/feedback-report.txt {key}": BYTE_ORDER_MARK for key in ("subject", "from", "to", "date")},
    "mime4j/mimetools-testmsgs/multi-igor2_decoded_1_4.txt subject": NO_FIELD,
    "mime4j/mimetools-testmsgs/multi-igor_decoded_1_4.txt subject": NO_FIELD,
}

if __name__ == "__main__":
    sys.exit(main())
