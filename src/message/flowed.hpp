// text/plain with format=flowed (RFC 3676): read as paragraphs.
#pragma once

#include <string>
#include <string_view>

namespace facteur::message {

// RFC 3676 §4: soft line ends joined, stuffed blanks taken off, quote marks of each depth kept as ">" and a space; the
// signature mark "-- " always stands alone (§4.3). With `delsp` the blank before a soft line end goes (§4). Lines may
// end with CRLF or LF; the result has LF. Linear.
std::string unflowed(std::string_view text, bool delsp);

}  // namespace facteur::message
