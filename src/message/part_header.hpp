// What parse_mime reads of the header of one part.
#pragma once

#include "base/bytes.hpp"
#include "message/ambiguity.hpp"
#include "message/mime.hpp"

namespace facteur::message {

// Sets content_type and encoding of `part`, and marks what is ambiguous. `digest`: the default is message/rfc822
// (RFC 2046 §5.1.5). Of several fields of a name the first counts.
void interpret_header(Part& part, Bytes header, bool digest, Ambiguities& marks);

// As parse_content_type, with what is ambiguous in the value.
std::optional<ContentType> parse_content_type(Bytes value, Ambiguities& marks);

// As parse_content_type; `loose` becomes true where something other than ';' stands between two parameters, or behind
// the type (RFC 2045 §5.1): others may see neither what stands there nor what comes behind it.
std::optional<ContentType> parse_content_type(Bytes value, bool& loose);

// Parameters given twice, and charsets of RFC 2231 that hide what they say. Looks at the first hundred.
void mark_parameters(const Parameters& raw, Ambiguities& marks);

// The encoding a Content-Transfer-Encoding value names: its first token, whatever stands around it.
Encoding encoding_of_value(Bytes value, Ambiguities& marks);

}  // namespace facteur::message
