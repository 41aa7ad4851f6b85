// The seam to DNS: what mail asks, with TTL and DNSSEC state. No wire format here: host/ has libunbound behind it, sim/
// a zone text. Failure kinds matter: NXDOMAIN and "no such records" are answers (empty), never failures; SERVFAIL,
// time-out, refusal and bogus are temporary failures (RFC 5321 §5.1: an outage never becomes a permanent error).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "base/time.hpp"

namespace facteur::dns {

struct AnswerState {
  std::uint32_t ttl_s = 0;
  bool secure = false;      // Validated by DNSSEC.
  bool name_exists = true;  // False: NXDOMAIN.
};

struct Mx {
  std::uint16_t preference = 0;
  std::string host;  // Without the final dot, lower case, A-labels. Empty: the "." of a null MX.
};
struct MxAnswer : AnswerState {
  std::vector<Mx> records;  // As they came, not sorted.
};
struct AddressAnswer : AnswerState {
  std::vector<IpAddress> addresses;  // IPv6 and IPv4.
};
struct TextAnswer : AnswerState {
  std::vector<std::string> texts;  // One per record, its strings joined (RFC 7208 §3.3).
};
struct NameAnswer : AnswerState {
  std::vector<std::string> names;
};
struct Tlsa {
  std::uint8_t usage = 0, selector = 0, matching = 0;
  std::string data;
};
struct TlsaAnswer : AnswerState {
  std::vector<Tlsa> records;
};

class Resolver {
 public:
  virtual ~Resolver() = default;

  // Names are A-labels without the final dot. CNAMEs are followed. Each call ends by its deadline. Callable from any
  // shard, resumes there.
  virtual Task<Result<MxAnswer>> mx(std::string domain, Instant deadline) = 0;
  virtual Task<Result<AddressAnswer>> addresses(std::string host, Instant deadline) = 0;
  virtual Task<Result<TextAnswer>> text(std::string name, Instant deadline) = 0;
  virtual Task<Result<NameAnswer>> pointers(IpAddress address, Instant deadline) = 0;
  virtual Task<Result<TlsaAnswer>> tlsa(std::string name, Instant deadline) = 0;
};

}  // namespace facteur::dns
