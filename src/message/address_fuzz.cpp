// What an envelope address is written as reads back as the same; lists end.
#include <cstdlib>
#include <string>

#include "message/address.hpp"
#include "message/authors.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  using namespace facteur::message;
  const std::string_view text(reinterpret_cast<const char*>(bytes), count);
  (void)parse_address_list(text);
  (void)first_mailbox(text);
  // RELIABILITY S20: what is read for certain is what everybody else here reads.
  if (const auto authors = parse_authors(text)) {
    std::size_t at = 0;
    for (const auto& listed : parse_address_list(text)) {
      if (listed.kind != ListedAddress::Kind::mailbox) continue;
      if (at == authors->size() || listed.local != (*authors)[at].local) std::abort();
      if (Domain::parse(listed.domain) != (*authors)[at++].domain) std::abort();
    }
    if (at != authors->size()) std::abort();
  }
  for (const bool utf8 : {false, true}) {
    const auto path = parse_path(text, utf8);
    if (!path || !path->address || path->address->domain.empty()) continue;
    if (path->length > count) std::abort();
    const auto again = Address::parse(path->address->text(), utf8);
    if (!again || *again != *path->address) std::abort();
  }
  return 0;
}
