// Which files and folders the server needs, by its configuration: the rest is closed to it (roles/sandbox.hpp).
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "config/schema.hpp"
#include "roles/sandbox.hpp"

namespace facteur::cli {

// The folder of a file, so that a file that is replaced there can be read again, and the one it lies in if it is a
// symbolic link. Where that would be much too much (/etc, /home), or would open one of `closed` (absolute paths), the
// file alone.
std::vector<std::string> around(const std::string& file, const std::vector<std::string>& closed = {});

// For one process that has everything: certificates and keys too.
roles::SandboxOptions whole_shelter(const config::Config& config, const std::string& config_path);
// For the server of three processes: no key, and of the data folder only what it has made there.
roles::SandboxOptions server_shelter(const config::Config& config, const std::string& config_path);
// For the keys: certificates and keys, and nothing to write.
roles::SandboxOptions keys_shelter(const config::Config& config);

// Makes what the server needs in its data folder before it may make nothing there any more: the folders of the store,
// and the instance id of a store that is new. Fails (temporary) as the disk does.
Result<void> furnish_data_folder(const config::Config& config);

// Enters it unless the configuration says no, after the data folder was made. "none" and the like in text().
roles::Sandbox enter_shelter(const config::Config& config, roles::SandboxOptions options);

}  // namespace facteur::cli
