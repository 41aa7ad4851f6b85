"""What other readers do with messages that we read otherwise.

A habit changes a message so that it says to us what the other reader sees in it. A difference is explained by a habit
if our reading of the changed message is the other's reading of the original one: so a habit cannot hide a difference
that it does not cause. Where that cannot be written down, a habit of leaves (FORGIVEN) says of one leaf, from its own
octets, why its contents may differ. docs/message-readers.md has each habit with the RFC that decides.
"""
import re

BLANK_LINE = re.compile(rb"\r?\n\r?\n")


def replaced(raw, places):
    """`places`: (start, end, new octets), none within another."""
    for start, end, new in sorted(places, reverse=True):
        raw = raw[:start] + new + raw[end:]
    return raw


def lines(raw, start, end):
    """(start, octets) of the lines between."""
    while start < end:
        stop = raw.find(b"\n", start, end) + 1 or end
        yield start, raw[start:stop]
        start = stop


def leaves(reading):
    return [part for part in reading.root.all() if part.kind == "leaf"]


def containers(reading):
    return [part for part in reading.root.all() if part.kind == "multipart" and part.boundary]


def header_fields(reading, part, name):
    """Of the named field, with its folds: (start, end of the name with its colon, end)."""
    found = re.finditer(rb"^(" + name + rb"[ \t]*:)[^\n]*\n?(?:[ \t][^\n]*\n?)*", reading.raw[part.header], re.M | re.I)
    return [(part.header.start + one.start(), part.header.start + one.end(1), part.header.start + one.end()) for one in found]


def line_end(raw):
    return b"\r\n" if b"\r\n" in raw else b"\n"


# ---- each takes a reading of ours and returns the changed message, or None if it has no cause to change it

PYTHON_FIELD = re.compile(rb"From |[\x21-\x39\x3b-\x7e]*:|[\t ]")


def header_ends_at_no_field(reading):
    """Of the outermost headers only: what is inside is to be read again."""
    raw = reading.raw
    places = []

    def walk(part):
        for start, line in lines(raw, part.header.start, part.header.stop):
            if line in (b"\n", b"\r\n"):
                break
            first = start == part.header.start
            if not PYTHON_FIELD.match(line) or (first and line[:1] in b" \t"):
                places.append((start, start, line_end(raw)))
                return
        for one in part.parts:
            walk(one)
    walk(reading.root)
    return replaced(raw, places) if places else None


def bare_cr_ends_lines(reading):
    changed = re.sub(rb"\r(?!\n)", b"\r\n", reading.raw)
    return changed if changed != reading.raw else None


def open_multiparts(reading):
    found, part = [], reading.root
    while part.parts:
        if part.kind == "multipart":
            found.append(part)
        part = part.parts[-1]
    return [one for one in found if one.body.stop == len(reading.raw)] if part.body.stop == len(reading.raw) else []


def last_line_end_is_a_delimiters(reading):
    found = open_multiparts(reading)
    if not found or b"no_final_delimiter" not in reading.marks.encode():
        return None
    end = b"" if reading.raw.endswith(b"\n") else b"\n"
    return reading.raw + end + b"--" + found[0].boundary + b"--\n"


def encoded_message_is_parsed(reading):
    places = []
    for part in leaves(reading):
        if part.type in ("message/rfc822", "message/global"):
            places += [(start, end, b"") for start, _, end in header_fields(reading, part, b"Content-Transfer-Encoding")]
    return replaced(reading.raw, places) if places else None


def with_boundary(reading, part, new):
    """Places: the boundary parameter of the part, changed."""
    pattern = rb"(boundary=\"?)" + re.escape(part.boundary) + rb"[ \t]*"
    places = []
    for _, name, end in header_fields(reading, part, b"Content-Type")[:1]:
        places.append((name, end, re.sub(pattern, lambda found: found[1] + new, reading.raw[name:end], flags=re.I)))
    return places


def renamed(reading, part, pattern):
    """The boundary of the part and its delimiters, if they match: all others are text."""
    new = part.boundary + b"-renamed"
    places = with_boundary(reading, part, new)
    for found in re.finditer(pattern, reading.raw[part.body], re.M):
        start = part.body.start + found.start()
        places.append((start, part.body.start + found.end(), b"--" + new + (found[1] or b"")))
    return places


def delimiter_is_a_whole_line(reading):
    for part in containers(reading):
        own = rb"^--" + re.escape(part.boundary)
        if re.search(own + rb"(?:--)?[ \t]+[^\s]", reading.raw[part.body], re.M):
            return replaced(reading.raw, renamed(reading, part, own + rb"(--)?[ \t]*(?=\r?$)"))
    return None


def boundary_keeps_its_blanks(reading):
    for part in containers(reading):
        own = rb"^--" + re.escape(part.boundary)
        found = re.search(rb"boundary=\"" + re.escape(part.boundary) + rb"([ \t]+)\"", reading.raw[part.header], re.I)
        if found:
            return replaced(reading.raw, renamed(reading, part, own + found[1] + rb"(--)?[ \t]*(?=\r?$)"))
    return None


def delimiters_in_a_row_are_one(reading):
    places = []
    for part in containers(reading):
        own = rb"--" + re.escape(part.boundary) + rb"(?:--)?[ \t]*\r?\n"
        for row in re.finditer(rb"^" + own + rb"((?:" + own + rb")+)", reading.raw[part.body], re.M):
            places.append((part.body.start + row.start(1), part.body.start + row.end(1), b""))
    return replaced(reading.raw, set(places)) if places else None


def boundary_belongs_to_the_outermost(reading):
    places = []

    def walk(part, open_ones):
        if part.kind == "multipart" and part.boundary in open_ones | {one + b"--" for one in open_ones}:
            places.extend(with_boundary(reading, part, part.boundary + b"-of-nobody"))
        for one in part.parts:
            walk(one, open_ones | {part.boundary} if part.kind == "multipart" else open_ones)
    walk(reading.root, set())
    return replaced(reading.raw, places) if places else None


def long_delimiter_is_not_found(reading):
    """Of a line longer than its buffer of 4,096 octets GMime sees pieces."""
    places = []
    for part in containers(reading):
        if len(part.boundary) > 4000:
            places += with_boundary(reading, part, part.boundary + b"-of-nobody")
    return replaced(reading.raw, places) if places else None


EMPTY_BOUNDARY = re.compile(rb'^(Content-Type:.*boundary=)""', re.I | re.M)


def boundary_may_be_empty(reading):
    if not EMPTY_BOUNDARY.search(reading.raw):
        return None
    changed = re.sub(rb"^--(--)?[ \t]*(?=\r?$)", rb"--of-nothing\1", reading.raw, flags=re.M)
    return EMPTY_BOUNDARY.sub(rb'\1"of-nothing"', changed)


def folded_boundary_is_another(reading):
    changed = re.sub(rb'(boundary="[^"\n]*)(\r?\n[ \t][^"\n]*")', rb'\1-of-nobody\2', reading.raw, flags=re.I)
    return changed if changed != reading.raw else None


def of_quoted_printable(reading, pattern, new):
    places = []
    for part in leaves(reading):
        if part.encoding == "quoted-printable":
            octets = reading.raw[part.body]
            changed = re.sub(pattern, new, octets, flags=re.M)
            if changed != octets:
                places.append((part.body.start, part.body.stop, changed))
    return replaced(reading.raw, places) if places else None


def quoted(octets):
    return b"".join(b"=%02X" % one for one in octets)


def blanks_at_line_ends_count(reading):
    return of_quoted_printable(reading, rb"([ \t]+)(?=\r?$)", lambda found: quoted(found[1]))


def blanks_behind_soft_line_break_count(reading):
    return of_quoted_printable(reading, rb"(=[ \t]+)(?=\r?$)", lambda found: quoted(found[1]))


def doubled_equals_is_one(reading):
    return of_quoted_printable(reading, rb"==", b"=3D")


def base64_ends_at_padding(reading):
    places = []
    for part in leaves(reading):
        if part.encoding != "base64":
            continue
        octets = reading.raw[part.body]
        found = re.search(rb"=+(?=[^=]*[A-Za-z0-9+/])", octets)
        if found:
            places.append((part.body.start + found.end(), part.body.stop, b""))
    return replaced(reading.raw, places) if places else None


def encoding_with_blank_behind_is_unknown(reading):
    places = []
    for part in leaves(reading):
        for start, name, end in header_fields(reading, part, b"Content-Transfer-Encoding"):
            if re.search(rb"[ \t]\r?\n$", reading.raw[start:end]):
                places.append((name, end, b" x-unknown\n"))
    return replaced(reading.raw, places) if places else None


def last_type_counts(reading):
    places = []
    for part in reading.root.all():
        places += [(start, end, b"") for start, _, end in header_fields(reading, part, b"Content-Type")[:-1]]
    return replaced(reading.raw, places) if places else None


def damaged_type_is_octets(reading):
    places = []
    for part in reading.root.all():
        for start, name, end in header_fields(reading, part, b"Content-Type")[:1]:
            if part.type == "text/plain" and not re.match(rb"\s*text\s*/\s*plain\b", reading.raw[name:end], re.I):
                places.append((name, end, b" application/octet-stream\n"))
    return replaced(reading.raw, places) if places else None


def empty_part_is_none(reading):
    places = []
    for part in containers(reading):
        for one in part.parts:
            if not one.parts and one.body.stop <= one.body.start and b":" not in reading.raw[one.header]:
                start = reading.raw.rfind(b"--" + part.boundary, 0, one.header.start)
                end = b"--" + part.boundary + b"--\n" if one.body.stop == len(reading.raw) else b""
                places.append((start, one.body.stop, end))
    return replaced(reading.raw, places) if places else None


def line_end_of_delimiter_is_as_behind_it(reading):
    """Of what is in front of a delimiter as many octets are its own as its line has for its end."""
    places = []
    quoted_ends = {one.body.stop for one in leaves(reading) if one.encoding == "quoted-printable"}
    for part in containers(reading):
        own = rb"(\r?)\n--" + re.escape(part.boundary) + rb"(?:--)?[ \t]*(\r?)(?:\n|$)"
        for found in re.finditer(own, reading.raw):
            if found[1] and not found[2]:
                places.append((found.start(), found.start(), b"=0D" if found.start() in quoted_ends else b"\r"))
            elif found[2] and not found[1]:
                places.append((found.start() - 1, found.start(), b""))
    return replaced(reading.raw, set(places)) if places else None


HABITS = {
    "email": [header_ends_at_no_field, bare_cr_ends_lines, last_line_end_is_a_delimiters, encoded_message_is_parsed,
              delimiter_is_a_whole_line, delimiters_in_a_row_are_one, boundary_belongs_to_the_outermost,
              boundary_may_be_empty, folded_boundary_is_another, blanks_behind_soft_line_break_count,
              blanks_at_line_ends_count, doubled_equals_is_one, base64_ends_at_padding, encoding_with_blank_behind_is_unknown],
    "gmime": [last_type_counts, damaged_type_is_octets, delimiter_is_a_whole_line, boundary_may_be_empty,
              blanks_behind_soft_line_break_count, blanks_at_line_ends_count, base64_ends_at_padding,
              boundary_keeps_its_blanks, long_delimiter_is_not_found, empty_part_is_none, line_end_of_delimiter_is_as_behind_it],
    "ruby": [last_type_counts, blanks_at_line_ends_count],
}


# ---- each changes our form: what cannot be said with a message

def empty_message_is_none(form):
    return re.sub(r"(message/(?:rfc822|global))\[text/plain:0:1\]", r"\1[]", form)


FORMS = {"email": [], "gmime": [empty_message_is_none], "ruby": []}


# ---- each says of one leaf (or multipart in which nothing was found) why its octets may differ

def base64_is_damaged(reading, part):
    """RFC 2045 §6.8: octets outside the alphabet, padding in the middle, or a last group that is not whole."""
    if part.encoding != "base64":
        return False
    octets = re.sub(rb"\s", b"", reading.raw[part.body])
    return bool(re.search(rb"[^A-Za-z0-9+/=]|=[^=]", octets)) or len(octets) % 4 != 0


def soft_line_break_at_bare_cr(reading, part):
    return part.encoding == "quoted-printable" and bool(re.search(rb"=\r(?!\n)", reading.original))


def uuencode(reading, part):
    return part.encoding == "uuencode"


def nothing_found_in_a_multipart(reading, part):
    return part.kind == "multipart" and not part.parts


def encoding_of_nobody_is_an_error(reading, part):
    return part.encoding == "identity" and any(
        not re.match(rb"\s*(7bit|8bit|binary)\s*$", reading.raw[name:end], re.I)
        for _, name, end in header_fields(reading, part, b"Content-Transfer-Encoding"))


def blank_line_of_a_part_without_header_is_text(reading, part):
    return not reading.raw[part.header].strip()


def last_encoded_line_end_is_none(reading, part):
    return part.encoding == "quoted-printable" and reading.raw[part.body].rstrip().endswith(b"=0D=0A")


FORGIVEN = {
    "email": [base64_is_damaged, soft_line_break_at_bare_cr, uuencode, nothing_found_in_a_multipart],
    "gmime": [base64_is_damaged, uuencode],
    "ruby": [encoding_of_nobody_is_an_error, blank_line_of_a_part_without_header_is_text, last_encoded_line_end_is_none,
             nothing_found_in_a_multipart],
}


# ---- each says of a whole message why a reader finds nothing in it, or no parts

def begins_with_no_field(reading):
    first = reading.raw.split(b"\n", 1)[0]
    return not re.match(rb"From |>From |[\x21-\x39\x3b-\x7e]+[ \t]*:", first)


def lines_of_8bit_text_end_with_lf(reading):
    """Line ends are made CRLF there before parts are looked for, but not in a message with 8-bit octets."""
    return b"\r\n" not in reading.raw and not reading.raw.isascii()


REFUSED = {"email": [], "gmime": [begins_with_no_field], "ruby": []}
UNDIVIDED = {"email": [], "gmime": [], "ruby": [lines_of_8bit_text_end_with_lf]}


def forgiven(reader, reading, mine, theirs):
    """Names of the habits of leaves that explain all that differs, or None."""
    def split(form):
        return re.findall(r"[\[\] ]|[^\[\] ]+", form)
    a, b = split(mine), split(theirs)
    if len(a) != len(b):
        return None
    found = reading.root.all()
    written = iter([part for part in found if part.kind == "leaf" or not part.parts])
    names = set()
    for one, other in zip(a, b):
        if ":" not in one:
            if one != other:
                return None
            continue
        part = next(written)
        if one == other:
            continue
        if one.split(":")[0] != other.split(":")[0]:
            return None
        why = next((habit for habit in FORGIVEN[reader.name] if habit(reading, part)), None)
        if not why:
            return None
        names.add(why.__name__)
    return names


def why(program, reader, raw, theirs):
    """Names of habits that explain the difference, the fewest; None if none do."""
    reading = program.read(raw)
    if theirs == "none":
        return next(({habit.__name__} for habit in REFUSED[reader.name] if habit(reading)), None)
    tried = {raw}
    tries = [(reading, frozenset())]
    while tries:
        later = []
        for one, names in tries:
            one.original = raw
            mine = reader.ours(one)
            found = {frozenset(names)} if mine == theirs else set()
            found |= {names | {form.__name__} for form in FORMS[reader.name] if form(mine) == theirs}
            others = forgiven(reader, one, mine, theirs)
            found |= {names | others} if others is not None else set()
            if found:
                return min(found, key=len)
        for one, names in tries:
            for habit in HABITS[reader.name]:
                changed = habit(one)
                if changed is not None and changed not in tried and len(tried) < 200:
                    tried.add(changed)
                    later.append((program.read(changed), names | {habit.__name__}))
        tries = later
    return next(({habit.__name__} for habit in UNDIVIDED[reader.name] if habit(reading)), None)
