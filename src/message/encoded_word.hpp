// Encoded words in header fields (RFC 2047, RFC 2231 §5): to UTF-8 (field_writer.hpp writes them).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace facteur::message {

// An unstructured value or display name, unfolded and decoded: valid UTF-8, blanks between encoded words dropped
// (RFC 2047 §6.2). Raw 8-bit octets are taken as UTF-8, or in `raw_charset` (what the text of the message is written
// in, charset_of_header) if they are not: field_to_utf8.
std::string decoded_text(Bytes value, std::string_view raw_charset = {});

// Octets of the encoded word at the start of `text`, as one token of a display name: up to the blank, '<', '(', ':' or
// end that must follow. It may hold specials, which RFC 2047 §5 (3) forbids and many write, but none of '<', '>', '@',
// '"' and '\\', behind which others would look for an address. 0: there is none.
std::size_t encoded_word_length(Bytes text);

// RFC 5322 §3.6.5 Keywords, and other lists of texts with commas between them: each decoded, without quotes; comments
// and empty ones left out; at most 1,000.
std::vector<std::string> decoded_list(Bytes value);

}  // namespace facteur::message
