#include "roles/key_protocol.hpp"

#include <algorithm>

namespace facteur::roles {

namespace {

enum class Kind : std::uint8_t { certificates = 1, use = 2, good = 3, failed = 4 };

class Writer {
 public:
  Writer(Kind kind, std::uint64_t number) {
    out_ += static_cast<char>(kind);
    put(number, 8);
  }
  void put(std::uint64_t value, int octets) {
    for (int shift = 8 * (octets - 1); shift >= 0; shift -= 8) out_ += static_cast<char>(value >> shift & 0xff);
  }
  void part(const std::string& text) {
    put(text.size(), 4);
    out_ += text;
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

class Reader {
 public:
  explicit Reader(Bytes message) : left_(message) {}
  std::uint64_t number(std::size_t octets) {
    std::uint64_t value = 0;
    for (const char c : take(octets)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  Bytes take(std::size_t octets) {
    if (octets > left_.size()) bad_ = true;
    if (bad_) return {};
    const Bytes out = left_.substr(0, octets);
    left_.remove_prefix(octets);
    return out;
  }
  std::string part() { return std::string(take(static_cast<std::size_t>(number(4)))); }
  bool more() const { return !bad_ && !left_.empty(); }
  bool whole() const { return !bad_ && left_.empty(); }

 private:
  Bytes left_;
  bool bad_ = false;
};

}  // namespace

std::string write(const KeyRequest& request) {
  const auto* use = std::get_if<AskUse>(&request.what);
  Writer out(use ? Kind::use : Kind::certificates, request.number);
  if (use) {
    for (const std::uint8_t octet : use->key) out.put(octet, 1);
    out.put(static_cast<std::uint8_t>(use->operation), 1);
    out.part(use->input);
  }
  return out.take();
}

std::string write(const KeyReply& reply) {
  Writer out(reply.good ? Kind::good : Kind::failed, reply.number);
  for (const auto& part : reply.parts) out.part(part);
  return out.take();
}

std::optional<KeyRequest> read_request(Bytes message) {
  Reader in(message);
  const auto kind = static_cast<Kind>(in.number(1));
  KeyRequest out{.number = in.number(8), .what = {}};
  if (kind == Kind::use) {
    AskUse use;
    const Bytes key = in.take(use.key.size());
    std::ranges::transform(key, use.key.begin(), [](char c) { return static_cast<std::uint8_t>(c); });
    const std::uint64_t operation = in.number(1);
    if (operation < 1 || operation > 3) return std::nullopt;
    use.operation = static_cast<crypto::KeyOperation>(operation);
    use.input = in.part();
    if (use.input.size() > longest_input) return std::nullopt;
    out.what = std::move(use);
  } else if (kind != Kind::certificates) {
    return std::nullopt;
  }
  if (!in.whole()) return std::nullopt;
  return out;
}

std::optional<KeyReply> read_reply(Bytes message) {
  Reader in(message);
  const auto kind = static_cast<Kind>(in.number(1));
  if (kind != Kind::good && kind != Kind::failed) return std::nullopt;
  KeyReply out{.number = in.number(8), .good = kind == Kind::good, .parts = {}};
  while (in.more()) out.parts.push_back(in.part());
  if (!in.whole()) return std::nullopt;
  return out;
}

}  // namespace facteur::roles
