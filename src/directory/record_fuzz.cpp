// Any octets as a record from the disk: read or refused, and what was read is written back the same.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "directory/address.hpp"
#include "directory/record.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace facteur::directory;
  const facteur::Bytes octets(reinterpret_cast<const char*>(data), size);
  if (const auto account = read_account(AccountId{1}, octets)) {
    // `enabled` is one octet of which any value but 0 means true, so only a second round must be stable.
    const auto written = write(*account);
    const auto again = read_account(AccountId{1}, written);
    if (!again || write(*again) != written) std::abort();
  }
  if (const auto address = read_address(octets); address && write(*address) != octets) std::abort();
  if (const auto domain = read_domain(octets); domain && write(*domain) != octets) std::abort();
  // A key of two octets, then the first one says how long the rest of it is.
  if (size > 1) {
    const std::size_t rest = std::min<std::size_t>(data[0], size - 1);
    const std::string key = guesses_prefix() + std::string(octets.substr(1, rest));
    const auto value = octets.substr(1 + rest);
    if (const auto guess = read_guess(key, value); guess && (guess_key(*guess) != key || write(*guess) != value)) {
      std::abort();
    }
  }
  if (const auto split = split_address(octets)) {
    const auto again = split_address(split->text());
    if (!again || again->text() != split->text()) std::abort();
  }
  return 0;
}
