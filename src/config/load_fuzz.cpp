// Any octets as configuration: problems are said, nothing else happens.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "config/load.hpp"
#include "config/option_names.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto loaded = facteur::config::parse({{"fuzz.toml", text}});
  if (loaded.config.listeners.empty()) std::abort();
  if (loaded.good()) {
    // What was accepted has a name, domains and a postmaster, and can be told again.
    if (loaded.config.hostname.empty() || loaded.config.postmaster.empty()) std::abort();
    if (facteur::config::differences(loaded.config).empty()) std::abort();
  }
  return 0;
}
