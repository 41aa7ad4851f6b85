#include "directory/record.hpp"

namespace facteur::directory {

namespace {

constexpr std::uint8_t layout = 1;
constexpr std::uint32_t most_strings = 100000;  // No record of ours has more; a larger number is damage.

store::Key key(char kind) {
  store::Key out('D');
  out.raw(Bytes(&kind, 1));
  return out;
}

void write_strings(store::Key& out, const std::vector<std::string>& strings) {
  out.u32(static_cast<std::uint32_t>(strings.size()));
  for (const auto& string : strings) out.string(string);
}

bool read_strings(store::Parser& parser, std::vector<std::string>& strings) {
  const std::uint32_t count = parser.u32();
  if (count > most_strings) return false;
  for (std::uint32_t i = 0; i < count && parser.ok(); ++i) strings.emplace_back(parser.string());
  return parser.ok();
}

}  // namespace

std::string account_key(AccountId id) { return key('a').u32(id.value).take(); }
std::string removed_key(AccountId id) { return key('x').u32(id.value).take(); }
std::string removed_prefix() { return key('x').take(); }
std::string accounts_prefix() { return key('a').take(); }
std::string address_key(std::string_view local, std::string_view domain) {
  return key('l').raw(domain).u8(0).raw(local).take();
}
std::string addresses_prefix(std::string_view domain) {
  auto out = key('l');
  if (!domain.empty()) out.raw(domain).u8(0);
  return out.take();
}
std::string domain_key(std::string_view domain) { return key('d').raw(domain).take(); }
std::string domains_prefix() { return key('d').take(); }
std::string next_id_key() { return key('n').take(); }

std::string guess_key(const Remembered& one) {
  return key('g').u8(static_cast<std::uint8_t>(one.what)).raw(one.key).take();
}
std::string guesses_prefix() { return key('g').take(); }

AccountId account_of_key(Bytes key) {
  store::Parser parser(key);
  parser.raw(2);
  return AccountId{parser.u32()};
}

std::string address_of_key(Bytes key) {
  const Bytes rest = key.substr(2);
  const auto zero = rest.find('\0');
  if (zero == Bytes::npos) return {};
  return std::string(rest.substr(zero + 1)) + "@" + std::string(rest.substr(0, zero));
}

std::string domain_of_key(Bytes key) { return std::string(key.substr(2)); }

std::string write(const AccountRecord& record) {
  store::Key out;
  out.u8(layout);
  out.string(record.account.address).string(record.account.display_name).u64(record.account.quota_bytes);
  out.u8(record.account.enabled ? 1 : 0);
  write_strings(out, record.account.addresses);
  out.string(record.password_phc).string(record.scram_salt).u32(record.scram_iterations);
  out.string(record.scram_stored_key).string(record.scram_server_key).string(record.secret);
  return out.take();
}

std::string write(const AddressRecord& record) {
  store::Key out;
  out.u8(layout).u32(record.account.value);
  write_strings(out, record.targets);
  return out.take();
}

std::string write(const DomainRecord& record) {
  store::Key out;
  out.u8(layout).string(record.catch_all);
  return out.take();
}

std::string write(const RemovedRecord& record) {
  store::Key out;
  out.u8(layout).u64(static_cast<std::uint64_t>(record.at.milliseconds)).string(write(record.account));
  return out.take();
}

std::string write(const Remembered& one) {
  store::Key out;
  out.u8(layout).u64(static_cast<std::uint64_t>(one.at.milliseconds)).u32(one.wrong);
  return out.take();
}

Result<Remembered> read_guess(Bytes key, Bytes value) {
  using What = Remembered::What;
  Remembered out;
  store::Parser name(key);
  name.raw(2);
  out.what = static_cast<What>(name.u8());
  out.key = name.rest();
  store::Parser parser(value);
  const bool known = parser.u8() == layout;
  out.at.milliseconds = static_cast<std::int64_t>(parser.u64());
  out.wrong = parser.u32();
  const bool of_source = out.what == What::wrong || out.what == What::good;
  const bool of_other = out.what == What::login || out.what == What::network || out.what == What::good_network;
  // A source begins with its address (Brake::source).
  const bool whole = of_source ? out.key.size() >= (out.key.starts_with('6') ? 9U : 5U) : of_other;
  if (!known || !whole || !name.ok() || !parser.done()) {
    return failure(Failure::Kind::corrupt, "F-6004", "A record of guessed passwords is damaged");
  }
  return out;
}

Result<RemovedRecord> read_removed(AccountId id, Bytes value) {
  store::Parser parser(value);
  const bool known = parser.u8() == layout;
  const UtcTime at{static_cast<std::int64_t>(parser.u64())};
  const Bytes inner = parser.string();
  if (!known || !parser.done()) {
    return failure(Failure::Kind::corrupt, "F-6003", "The record of a removed account is damaged",
                   "account " + std::to_string(id.value));
  }
  auto account = read_account(id, inner);
  if (!account) return failed(account);
  return RemovedRecord{std::move(*account), at};
}

Result<AccountRecord> read_account(AccountId id, Bytes value) {
  store::Parser parser(value);
  AccountRecord out;
  const bool known = parser.u8() == layout;
  out.account.id = id;
  out.account.address = parser.string();
  out.account.display_name = parser.string();
  out.account.quota_bytes = parser.u64();
  out.account.enabled = parser.u8() != 0;
  const bool whole = known && read_strings(parser, out.account.addresses);
  out.password_phc = parser.string();
  out.scram_salt = parser.string();
  out.scram_iterations = parser.u32();
  out.scram_stored_key = parser.string();
  out.scram_server_key = parser.string();
  out.secret = parser.string();
  if (!whole || !parser.done()) {
    return failure(Failure::Kind::corrupt, "F-6000", "An account record is damaged",
                   "account " + std::to_string(id.value));
  }
  return out;
}

Result<AddressRecord> read_address(Bytes value) {
  store::Parser parser(value);
  AddressRecord out;
  const bool known = parser.u8() == layout;
  out.account = AccountId{parser.u32()};
  if (!known || !read_strings(parser, out.targets) || !parser.done()) {
    return failure(Failure::Kind::corrupt, "F-6001", "An address record is damaged");
  }
  return out;
}

Result<DomainRecord> read_domain(Bytes value) {
  store::Parser parser(value);
  DomainRecord out;
  const bool known = parser.u8() == layout;
  out.catch_all = parser.string();
  if (!known || !parser.done()) return failure(Failure::Kind::corrupt, "F-6002", "A domain record is damaged");
  return out;
}

}  // namespace facteur::directory
