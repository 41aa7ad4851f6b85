// What has to hold between options, beyond what each may be by itself.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "config/schema.hpp"

namespace facteur::config {

// Calls `problem(option, text)` for each rule that does not hold; `option` is the one to blame, like "listener[1].tls".
void check(const Config& config, const std::function<void(std::string option, std::string text)>& problem);

}  // namespace facteur::config
