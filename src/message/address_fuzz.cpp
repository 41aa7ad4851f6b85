// What an envelope address is written as reads back as the same; lists end.
#include <cstdlib>
#include <string>

#include "message/address.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  using namespace facteur::message;
  const std::string_view text(reinterpret_cast<const char*>(bytes), count);
  (void)parse_address_list(text);
  (void)first_mailbox(text);
  for (const bool utf8 : {false, true}) {
    const auto path = parse_path(text, utf8);
    if (!path || !path->address || path->address->domain.empty()) continue;
    if (path->length > count) std::abort();
    const auto again = Address::parse(path->address->text(), utf8);
    if (!again || *again != *path->address) std::abort();
  }
  return 0;
}
