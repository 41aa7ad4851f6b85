// Lists made from the schema: names, the reference page, the example file, explanations and differences.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/load.hpp"
#include "config/schema.hpp"

namespace facteur::config {

// "hostname", "limits.recipients", "listener.port", ...
std::vector<std::string> option_names();

// docs/reference.md
std::string reference_page();

// facteur.toml with every option at its default, commented out.
std::string example_file();

// What one option, or one table, is; nullopt if there is none of that name (then ask nearest_option). `loaded`: also
// says its present value and where it is set.
std::optional<std::string> explain(std::string_view name, const Loaded* loaded = nullptr);
std::optional<std::string> nearest_option(std::string_view name);

// "limits.recipients = 500  (default 1000)" lines: what differs from defaults.
std::string differences(const Config& config);

}  // namespace facteur::config
