// Encoded words in header fields (RFC 2047, RFC 2231 §5): to UTF-8 and back.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace facteur::message {

// An unstructured value or display name, unfolded and decoded: valid UTF-8, blanks between encoded words dropped
// (RFC 2047 §6.2). Raw 8-bit octets are taken as UTF-8, or as windows-1252 if they are not.
std::string decoded_text(Bytes value);

// The text as it is if it is printable ASCII, else as encoded words of at most 75 characters (RFC 2047 §2) with
// CRLF SP between them. `text` is UTF-8. For Subject, Comments and display names (then as a phrase, RFC 2047 §5 rule
// 3).
std::string encoded_text(std::string_view text);
std::string encoded_phrase(std::string_view text);  // Quoted string, atoms or encoded words.

}  // namespace facteur::message
