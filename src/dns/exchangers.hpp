// Where mail for a domain goes: MX records put in the order they are to be tried (RFC 5321 §5.1, RFC 7505).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "base/time.hpp"
#include "dns/resolver.hpp"
#include "world/random.hpp"

namespace facteur::dns {

inline constexpr std::size_t most_exchangers = 30;  // Of one domain; what stands behind them is not tried.

struct Exchangers {
  enum class Kind : std::uint8_t {
    hosts,           // Try `hosts` in order; look up their addresses one after the other.
    literal,         // The domain is an address: try `address`.
    null_mx,         // RFC 7505: accepts no mail. Permanent, 5.1.10.
    no_such_domain,  // NXDOMAIN from a positive answer. Permanent, 5.1.2.
    ourselves,       // We are the best exchanger: the mail would loop. Permanent, 5.4.6.
  };
  Kind kind = Kind::hosts;
  std::vector<std::string> hosts;
  std::optional<IpAddress> address;
  bool implicit = false;  // No MX records: the domain itself is the host (RFC 5321 §5.1).
  bool secure = false;    // The MX answer was validated by DNSSEC.
};

// Lowest preference first, equal ones shuffled (RFC 5321 §5.1: "MUST randomize them"). `our_names` are the names this
// server is known by: it and all hosts that are not better are dropped. Pure but for chance.
Exchangers order_exchangers(std::string_view domain, const MxAnswer& answer, std::span<const std::string> our_names,
                            world::Random& random);

// The same with the look-up in front. Address literals need none. Fails only with temporary or timed_out (an outage is
// never an answer). `our_names` must live until it ends.
Task<Result<Exchangers>> find_exchangers(Resolver& resolver, std::string domain, std::span<const std::string> our_names,
                                         world::Random& random, Instant deadline);

}  // namespace facteur::dns
