// Any octets as the inside of any record, and as the MX records of a domain: read or refused, bounded, and the order of
// exchangers holds whatever they say. Addresses in text, too.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "dns/exchangers.hpp"
#include "dns/rdata.hpp"
#include "sim/random.hpp"

using namespace facteur;

namespace {

void try_name(Bytes octets) {
  const auto name = dns::read_name(octets);
  if (!name) return;
  if (name->size() > 253 || name->starts_with('.') || name->ends_with('.') || name->contains("..")) std::abort();
  // Written again, it is read as the same.
  std::string wire;
  for (std::string_view rest = *name; !rest.empty();) {
    const auto label = rest.substr(0, rest.find('.'));
    wire += static_cast<char>(label.size());
    wire += label;
    rest.remove_prefix(std::min(rest.size(), label.size() + 1));
  }
  if (dns::read_name(wire + '\0') != name) std::abort();
}

// The first octet of each record is its length.
void try_exchangers(Bytes octets) {
  dns::MxAnswer answer;
  answer.name_exists = !octets.empty() && (octets[0] & 1) != 0;
  while (!octets.empty()) {
    const auto length = std::min<std::size_t>(static_cast<unsigned char>(octets[0]), octets.size() - 1);
    if (auto mx = dns::read_mx(octets.substr(1, length))) answer.records.push_back(std::move(*mx));
    octets.remove_prefix(1 + length);
  }
  const std::string ours[] = {"a", "mx.example.org"};
  sim::Random random(1);
  const auto order = dns::order_exchangers("example.org", answer, ours, random);
  using Kind = dns::Exchangers::Kind;
  if ((order.kind == Kind::hosts) == order.hosts.empty()) std::abort();
  if (order.hosts.size() > dns::most_exchangers) std::abort();
  for (const auto& host : order.hosts) {
    if (std::ranges::find(ours, host) != std::end(ours)) std::abort();
  }
}

void try_text(std::string_view text) {
  if (const auto address = IpAddress::parse(text)) {
    if (IpAddress::parse(to_string(*address)) != address) std::abort();
    if (dns::reverse_name(*address).size() > 72) std::abort();
  }
  static_cast<void>(Endpoint::parse(text));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes octets(reinterpret_cast<const char*>(data), size);
  try_name(octets);
  try_exchangers(octets);
  try_text(octets);
  if (dns::read_text(octets).size() > size) std::abort();
  static_cast<void>(dns::read_tlsa(octets));
  if (const auto address = dns::read_address(octets); address && address->v6 != (size == 16)) std::abort();
  return 0;
}
