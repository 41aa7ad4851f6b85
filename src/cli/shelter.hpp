// Which files and folders the server needs, by its configuration: the rest is closed to it (roles/sandbox.hpp).
#pragma once

#include <string>
#include <vector>

#include "config/schema.hpp"
#include "roles/sandbox.hpp"

namespace facteur::cli {

// The folder of a file, so that a file that is replaced there can be read again, and the one it lies in if it is a
// symbolic link. Where that would be much too much (/etc, /home), the file alone.
std::vector<std::string> around(const std::string& file);

// For one process that has everything: certificates and keys too.
roles::SandboxOptions whole_shelter(const config::Config& config, const std::string& config_path);

// Enters it unless the configuration says no, after the data folder was made. "none" and the like in text().
roles::Sandbox enter_shelter(const config::Config& config, roles::SandboxOptions options);

}  // namespace facteur::cli
