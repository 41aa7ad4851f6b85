// base64 (RFC 4648 §4) and hexadecimal.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace facteur {

// Without line breaks, with padding.
std::string to_base64(std::string_view octets);

// Strict, as SASL needs it: nullopt for any character outside the alphabet, missing or misplaced padding, or bits
// that are not zero behind the end (RFC 4648 §3.5), so that one value has one encoding.
std::optional<std::string> from_base64(std::string_view text);

std::string to_hex(std::string_view octets);  // Lower case.
std::optional<std::string> from_hex(std::string_view text);

}  // namespace facteur
