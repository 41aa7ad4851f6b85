// text/enriched (RFC 1896), and text/richtext before it (RFC 1341), as plain text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace facteur::message {

// `text` is UTF-8 with LF or CRLF line ends. RFC 1896: one line end is a blank, n of them are n - 1; "<<" is "<"; what
// <param> holds is not shown, and between <nofill> lines stay. Linear; at most about `most` octets come out.
std::string enriched_to_text(std::string_view text, std::size_t most);

}  // namespace facteur::message
