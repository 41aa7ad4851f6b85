// The known word nearest to a misspelt one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::config {

// The candidate that fewest changes of letters turn `word` into; nullopt if even that one is too far (more than a third
// of the letters). Only the first 64 octets count.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace facteur::config
