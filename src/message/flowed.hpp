// text/plain with format=flowed (RFC 3676): read as paragraphs, and written from them.
#pragma once

#include <string>
#include <string_view>

namespace facteur::message {

// RFC 3676 §4: soft line ends joined, stuffed blanks taken off, quote marks of each depth kept as ">" and a space; the
// signature mark "-- " always stands alone (§4.3). With `delsp` the blank before a soft line end goes (§4). Lines may
// end with CRLF or LF; the result has LF. Linear.
std::string unflowed(std::string_view text, bool delsp);

// The other way: each line of `text` is a paragraph, quoted as deep as it begins with '>' (one blank behind the marks
// does not count), and is cut softly into lines of at most 76 columns where it has blanks. Blanks at the end of a
// paragraph go (§4.2), those at its start and "From " are stuffed (§4.4). With `delsp` it is cut between ideographs
// too, for languages that put no blanks. The result has CRLF. unflowed() gives the text back, quote marks written as
// there.
std::string flowed(std::string_view text, bool delsp);

// Whether `text` has runs of ideographs that only `delsp` can cut.
bool wants_delsp(std::string_view text);

}  // namespace facteur::message
