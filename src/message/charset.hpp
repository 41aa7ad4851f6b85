// Charsets to UTF-8: us-ascii, utf-8, iso-8859-1, iso-8859-15 and windows-1252 here, all others by ICU.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace facteur::message {

bool is_utf8(Bytes octets);

// One character as UTF-8; a surrogate, a control but TAB and LF, or what is no character: U+FFFD; 128 to 159 by
// windows-1252, as HTML's numbers are meant.
void append_character(std::string& out, char32_t code);

// Always valid UTF-8: what cannot be decoded becomes U+FFFD; an unknown charset is taken as windows-1252 if it is not
// UTF-8 already.
std::string to_utf8(Bytes octets, std::string_view charset);
bool charset_known(std::string_view charset);

// As to_utf8, for the body of a text, which is long enough to tell its charset where the label is missing (empty or
// us-ascii) or wrong (nobody's name, or utf-8 on what is none): escape sequences of ISO-2022, else ICU's statistics
// over the first 16 KiB, else windows-1252.
std::string body_to_utf8(Bytes octets, std::string_view charset);

// Known, and not one of those that are written on everything: us-ascii and utf-8.
bool charset_decides(std::string_view charset);

// What body_to_utf8 takes the octets for: the label itself, or what is told by them.
std::string charset_of_body(Bytes octets, std::string_view charset);

// Raw octets of a header field, which no standard allows but UTF-8 (RFC 6532 §3.2): as they are if they are UTF-8
// (ISO-2022 where its escape sequences are in them), else in `charset`. Where that says nothing (empty, nobody's name,
// us-ascii, utf-8): damaged UTF-8 if most of them are, else windows-1252.
std::string field_to_utf8(Bytes octets, std::string_view charset);

}  // namespace facteur::message
