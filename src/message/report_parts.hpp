// What reports of all kinds are made of (RFC 6522, RFC 6533): multipart/report, addresses with their type, the header
// of the message reported on.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "message/entity.hpp"

namespace facteur::message {

// "rfc822; user@example.org", and for an address beyond ASCII (RFC 6533 §3) "utf-8; ..." as it is if `utf8`, else in
// the form of seven bits: "\x{e9}" for what has no place there.
std::string typed_address(std::string_view address, bool utf8);

// An Original-Recipient as ORCPT gave it ("rfc822;user@example.org", xtext decoded): of the type utf-8 in the form
// above that fits. Empty if it is none.
std::string typed_recipient(std::string_view original, bool utf8);

// RFC 6533 §3: EmbeddedUnicodeChar, "\x{HEX}", to UTF-8; what is none of it stays.
std::string from_unitext(std::string_view text);

// The header of `original` as text/rfc822-headers (RFC 6522 §4), or message/global-headers if it is
// UTF-8 beyond ASCII.
Entity header_part(Bytes original);
// `original` as it is.
Entity whole_part(Bytes original);

// multipart/report of a text for people, `status` for programs, and the message or its header.
Entity report_entity(std::string_view report_type, std::string text, Entity status, Entity original);

}  // namespace facteur::message
