#include "queue/record.hpp"

#include "store/key.hpp"

namespace facteur::queue {

namespace {

using store::Key;
using store::Parser;

std::uint32_t checksum(Bytes octets) {
  std::uint32_t hash = 2166136261U;
  for (const char c : octets) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return hash;
}

std::string sealed(Key key) {
  const auto sum = checksum(key);
  return key.u32(sum).take();
}

// The value without its checksum; nullopt if that is wrong.
std::optional<Bytes> opened(Bytes value) {
  if (value.size() < 5) return std::nullopt;
  const Bytes content = value.substr(0, value.size() - 4);
  Parser sum(value.substr(value.size() - 4));
  if (sum.u32() != checksum(content)) return std::nullopt;
  return content;
}

std::unexpected<Failure> damaged(std::string_view code, std::string why) {
  return failure(Failure::Kind::corrupt, code, "A queue record is damaged", std::move(why));
}

void put_time(Key& key, UtcTime time) { key.u64(static_cast<std::uint64_t>(time.milliseconds)); }
UtcTime get_time(Parser& parser) { return UtcTime{static_cast<std::int64_t>(parser.u64())}; }

enum Bits : std::uint8_t { held = 1, body_8bit = 2, smtputf8 = 4, authenticated = 8 };

}  // namespace

std::string prefix_of_all() { return Key('Q').u32(store::server_account.value).take(); }
std::string prefix_of(QueueId id) { return Key('Q').u32(store::server_account.value).u64(id.value).take(); }
std::string envelope_key(QueueId id) { return prefix_of(id) + '\0'; }
std::string recipient_key(QueueId id, std::uint32_t number) {
  return Key('Q').u32(store::server_account.value).u64(id.value).u8(1).u32(number).take();
}

std::optional<KeyParts> parse_key(Bytes key) {
  const auto prefix = prefix_of_all();
  if (!key.starts_with(prefix)) return std::nullopt;
  Parser parser(key.substr(prefix.size()));
  KeyParts parts;
  parts.id = QueueId(parser.u64());
  const auto kind = parser.u8();
  parts.recipient = kind == 1;
  if (kind == 1) parts.number = parser.u32();
  if (!parser.done() || kind > 1) return std::nullopt;
  return parts;
}

// Layout 1 had no trace id; 2 has it at the end.
std::string write_envelope(const Entry& entry) {
  Key key;
  key.u8(envelope_layout).u32(static_cast<std::uint32_t>(entry.recipients.size()));
  key.string(entry.sender).raw(entry.content.bytes()).u64(entry.content_size).string(entry.prefix);
  put_time(key, entry.arrived);
  put_time(key, entry.expires);
  const auto bits = (entry.held ? held : 0) | (entry.body_8bit ? body_8bit : 0) | (entry.smtputf8 ? smtputf8 : 0) |
                    (entry.authenticated ? authenticated : 0);
  key.u8(static_cast<std::uint8_t>(bits)).string(entry.envelope_id).u8(entry.ret).string(entry.trace);
  return sealed(std::move(key));
}

Result<Envelope> read_envelope(Bytes value) {
  const auto content = opened(value);
  if (!content) return damaged("F-7010", "checksum of an envelope");
  Parser parser(*content);
  const auto layout = parser.u8();
  if (layout < 1 || layout > envelope_layout) {
    return damaged("F-7011", "envelope of unknown layout " + std::to_string(layout));
  }
  Envelope out;
  auto& entry = out.entry;
  out.recipients = parser.u32();
  entry.sender = parser.string();
  entry.content = store::BlobId::from(parser.raw(32));
  entry.content_size = parser.u64();
  entry.prefix = parser.string();
  entry.arrived = get_time(parser);
  entry.expires = get_time(parser);
  const auto bits = parser.u8();
  entry.held = (bits & held) != 0;
  entry.body_8bit = (bits & body_8bit) != 0;
  entry.smtputf8 = (bits & smtputf8) != 0;
  entry.authenticated = (bits & authenticated) != 0;
  entry.envelope_id = parser.string();
  entry.ret = parser.u8();
  if (layout >= 2) entry.trace = parser.string();
  if (!parser.done()) return damaged("F-7012", "fields of an envelope");
  return out;
}

std::string write_recipient(const Recipient& recipient) {
  Key key;
  key.u8(recipient_layout).string(recipient.address).string(recipient.original).u8(recipient.notify);
  key.u8(static_cast<std::uint8_t>(recipient.status)).u32(recipient.attempts);
  put_time(key, recipient.next_try);
  key.string(recipient.last_reply).string(recipient.last_host).u8(recipient.delay_noticed ? 1 : 0);
  return sealed(std::move(key));
}

Result<Recipient> read_recipient(Bytes value) {
  const auto content = opened(value);
  if (!content) return damaged("F-7013", "checksum of a recipient");
  Parser parser(*content);
  if (const auto layout = parser.u8(); layout != recipient_layout) {
    return damaged("F-7014", "recipient of unknown layout " + std::to_string(layout));
  }
  Recipient out;
  out.address = parser.string();
  out.original = parser.string();
  out.notify = parser.u8();
  const auto status = parser.u8();
  out.attempts = parser.u32();
  out.next_try = get_time(parser);
  out.last_reply = parser.string();
  out.last_host = parser.string();
  out.delay_noticed = parser.u8() != 0;
  if (!parser.done() || status > static_cast<std::uint8_t>(Recipient::Status::expanded)) {
    return damaged("F-7015", "fields of a recipient");
  }
  out.status = static_cast<Recipient::Status>(status);
  return out;
}

}  // namespace facteur::queue
