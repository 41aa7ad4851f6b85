// A recipient -> where its mail goes: accounts of ours, other servers, or nowhere (and then what to say).
//
// Used when a recipient is offered (reception) and again when a queued one is tried (delivery). Pure over the
// directory and values: no DNS, no waiting.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"
#include "base/result.hpp"
#include "directory/directory.hpp"
#include "message/address.hpp"

namespace facteur::routing {

// The next server on the way.
struct NextHop {
  enum class Kind : std::uint8_t {
    exchangers,  // The MX hosts of `host` (a domain or an address literal), port of delivery.port.
    server,      // `host`:`port` itself: a static route.
    smarthost,   // The same, with the TLS and login of the smarthost.
  };
  Kind kind = Kind::exchangers;
  std::string host;
  std::uint16_t port = 25;
  bool lmtp = false;

  std::string key() const;  // Mail with one key can share a connection: "mx:example.org", "smtp:host:port"...
  friend bool operator==(const NextHop&, const NextHop&) = default;
};

struct StaticRoute {
  std::vector<std::string> domains;  // Canonical; ".example.org": all below it; "*": all others.
  NextHop hop;
};

struct Parameters {
  std::string hostname;                  // postmaster@ it is always taken.
  std::string postmaster;                // Where <postmaster> leads when the domain has none of its own.
  std::vector<IpAddress> our_addresses;  // [address] literals that are us: postmaster only.
  std::vector<std::string> relay_domains;
  std::vector<StaticRoute> routes;
  std::optional<NextHop> smarthost;
};

struct Destination {
  enum class Kind : std::uint8_t { account, remote };
  Kind kind = Kind::account;
  message::Address address;  // Final: aliases expanded. As to be sent.
  directory::AccountId account;
  std::string detail;  // user+detail.
  NextHop hop;         // Of a remote one.
};

struct Resolution {
  std::vector<Destination> destinations;  // Without doubles, at most 1,000. Empty: refused, `why` says it.
  bool expanded = false;                  // The recipient was an alias or list.
  std::optional<Failure> why;             // permanent or refused.
  std::string enhanced = "5.1.1";         // RFC 3463 code that goes with `why`.
  std::vector<std::string> unresolved;    // Members of an alias that lead nowhere, while others do.
};

// Where mail for `recipient` goes. `may_relay`: the sender may have mail sent anywhere (a login, our own mail, the
// queue); otherwise foreign domains are refused unless they are relay domains (never an open relay). What an alias of
// ours leads to is always followed. Fails (temporary) only if the directory cannot be read.
Result<Resolution> resolve(const directory::Directory& directory, const Parameters& parameters,
                           const message::Address& recipient, bool may_relay);

// The next hop for a domain that is not ours.
NextHop next_hop(const Parameters& parameters, std::string_view domain);

}  // namespace facteur::routing
