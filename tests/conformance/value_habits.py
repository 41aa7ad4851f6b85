"""Why another reader gives another subject, address, date or name of a file: from the message itself."""
import email.header
import re

import reading_habits


def words(value):
    """Folds and blanks are read differently."""
    return value.split()


# ---- each: (key, raw message, our value, theirs) -> whether it causes the difference

def list_without_addresses_is_an_error(key, raw, ours, theirs):
    """An empty field, or a group without members (RFC 5322 §3.4 allows it)."""
    return theirs == "error: AttributeError" and not ours


def utf8_addresses_are_octets(key, raw, ours, theirs):
    return words(theirs.encode("utf-8", "surrogateescape").decode("utf-8", "replace")) == words(ours) and "\udc80" <= max(theirs)


def path_stays_in_a_name(key, raw, ours, theirs):
    def names(value):
        # Encoded words inside of a name are decoded here and not there: compared up to the first.
        return [re.split(r"=\?", line.rsplit("/", 1)[-1])[0] for line in value.splitlines()]
    return key == "files" and "/" in theirs and "/" not in ours and len(names(ours)) == len(names(theirs)) and all(
        one.startswith(other) for one, other in zip(names(ours), names(theirs)))


def decoded(word):
    for one in (word, re.sub(rb"^=\?[^?]*", b"=?iso-8859-1", word)):  # Also of a charset that nobody knows.
        try:
            return str(email.header.make_header(email.header.decode_header(one.decode())))
        except (LookupError, UnicodeDecodeError):
            pass
    return ""


def encoded_word_in_a_parameter_is_damage(key, raw, ours, theirs):
    """Of `name==?utf-8?B?...?=`, or a word in quotes: there is no name there."""
    missing = [name for name in ours.splitlines() if name not in theirs.splitlines()]
    found = "".join(map(decoded, re.findall(rb"=\?[\w-]+\?[BbQq]\?[^?\s]*\?=", raw)))
    return key == "files" and bool(missing) and all(name.split()[0] in found for name in missing)


def charset_of_nobody_is_another(key, raw, ours, theirs):
    """An encoded word without a charset, or in one that Python does not know."""
    return key == "subject" and bool(re.search(rb"=\?(\?|windows-874\?)", raw)) and "\ufffd" in theirs


def raw_octets_are_unknown(key, raw, ours, theirs):
    """Here they are in the charset of the text, or in windows-1252."""
    field = re.search(rb"^%s:((?:.*\n[ \t])*.*)" % key.encode(), raw, re.M | re.I)
    if "\ufffd" not in theirs or not field:
        return False
    charsets = [name.decode() for name in re.findall(rb"charset=\"?([\w-]+)", raw)] + ["windows-1252"]

    def read(charset):
        try:
            return words(field[1].decode(charset)) == words(ours)
        except (LookupError, UnicodeDecodeError):
            return False
    return any(map(read, charsets))


def comment_in_front_of_zone(key, raw, ours, theirs):
    return key == "date" and bool(re.search(rb"^Date:.*\(.*\)[ \t]*[+-]\d{4}", raw, re.M | re.I))


def piece_is_taken_apart(key, raw, ours, theirs):
    """message/partial and message/external-body: what is inside has no names of ours."""
    return key == "files" and bool(re.search(rb"^Content-Type:\s*message/(partial|external-body)", raw, re.M | re.I))


def address_without_brackets_has_words(key, raw, ours, theirs):
    """Words in front of an address that stands without angle brackets."""
    return key in ("from", "to", "cc") and words(theirs)[-len(words(ours)):] == words(ours)


def field_is_an_envelope(key, raw, ours, theirs):
    """A blank in front of the colon (RFC 5322 §4.5 allows it) makes the first field the line of an mbox file."""
    return key == "from" and not theirs and raw.startswith(b"From ")


def damaged_word_stays(key, raw, ours, theirs):
    """An encoded word that ends within a character, or with a NUL."""
    return key == "subject" and ("=?" in theirs or "\0" in theirs) and "=?" not in ours


def last_field_counts(key, raw, ours, theirs):
    """Or all of them, where RFC 5322 §3.6 allows one."""
    found = re.findall(rb"^%s:" % key.encode(), raw.replace(b"\r\n", b"\n").split(b"\n\n", 1)[0], re.M | re.I)
    return key != "files" and len(found) > 1


def location_is_a_name(key, raw, ours, theirs):
    return key == "files" and not ours and all(
        re.search(rb"^Content-Location: *" + re.escape(name.encode()), raw, re.M | re.I) for name in theirs.splitlines())


def message_inside_is_a_leaf(key, raw, ours, theirs):
    return key == "files" and b"message/rfc822" in raw and ours.startswith(theirs)


def names_lose_their_capitals(key, raw, ours, theirs):
    """In the old form of a parameter, without quotes."""
    return key == "files" and ours != theirs and ours.lower() == theirs


def no_parts_no_names(key, raw, ours, theirs):
    return key == "files" and not theirs and b"\r\n" not in raw and not raw.isascii()


def damaged_date_is_an_error(key, raw, ours, theirs):
    """Or some other date: here there is none."""
    return key == "date" and not ours


def obsolete_address_stays_as_written(key, raw, ours, theirs):
    """Comments, routes and blanks in addresses (RFC 5322 §4.4), and addresses without a domain."""
    def bare(value):
        value = re.sub(r"\([^()]*\)|@[^:@]*:|\s", "", value)
        return value
    return key in ("from", "to", "cc") and (bare(theirs) == bare(ours) or "@" not in ours)


def addresses_without_comma_are_a_list(key, raw, ours, theirs):
    return key in ("from", "to", "cc") and words(ours) == words(theirs)[:1] and len(words(theirs)) > 1


def boundary_without_quotes_ends_at_equals(key, raw, ours, theirs):
    """RFC 2045 §5.1: it must be quoted. Without its boundary there are no parts, and no names."""
    return key == "files" and not theirs and bool(re.search(rb"boundary=[^\"\s;]*=", raw))


HABITS = {
    "email": [list_without_addresses_is_an_error, utf8_addresses_are_octets, path_stays_in_a_name,
              encoded_word_in_a_parameter_is_damage, charset_of_nobody_is_another, raw_octets_are_unknown,
              comment_in_front_of_zone, piece_is_taken_apart, address_without_brackets_has_words, field_is_an_envelope,
              boundary_without_quotes_ends_at_equals, damaged_word_stays],
    "ruby": [last_field_counts, location_is_a_name, message_inside_is_a_leaf, names_lose_their_capitals,
             no_parts_no_names, damaged_date_is_an_error, encoded_word_in_a_parameter_is_damage, raw_octets_are_unknown,
             addresses_without_comma_are_a_list, obsolete_address_stays_as_written, field_is_an_envelope],
}
CHANGES = {"email": [reading_habits.header_ends_at_no_field, reading_habits.bare_cr_ends_lines], "ruby": []}


def why(program, reader, reading, key, theirs):
    """The name of the habit that explains the difference; None if none does."""
    for change in CHANGES[reader]:
        changed = change(reading)
        for _ in range(5):
            if changed is None:
                break
            again = program.read(changed)
            if words(again.values[key]) == words(theirs):
                return change.__name__
            changed = change(again)
    for habit in HABITS[reader]:
        if habit(key, reading.raw, reading.values[key], theirs):
            return habit.__name__
    return None
