// The media type of a file by the end of its name (RFC 2046 §6 leaves new types to registries; these are the usual).
#pragma once

#include <string_view>

namespace facteur::message {

// "text/plain" of "letter.txt"; "application/octet-stream" if nobody knows. Case does not matter.
std::string_view file_type(std::string_view name);

}  // namespace facteur::message
