// Names of mailboxes: UTF-8, levels separated by '/'.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace facteur::mailbox {

inline constexpr std::size_t max_depth = 50;
inline constexpr std::size_t max_path_octets = 1000;

// The path as it is stored: "INBOX" in capitals as first level (RFC 9051 §5.1). Refused (bad_mailbox_name): empty
// levels, control characters, octets that are not UTF-8, more than max_path_octets or max_depth.
Result<std::string> checked_path(std::string_view path);

std::vector<std::string_view> levels(std::string_view path);  // Borrowed from `path`.
std::string fold(std::string_view name);                      // Names that differ only in case are one (ASCII so far).

}  // namespace facteur::mailbox
