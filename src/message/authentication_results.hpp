// Authentication-Results and ARC-Authentication-Results read as values (RFC 8601 §2.2, RFC 8617 §4.1.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace facteur::message {

// "smtp.mailfrom=example.net": one property of a result.
struct AuthenticationProperty {
  std::string type;  // Lower case: "smtp", "header", "body", "policy".
  std::string name;  // Lower case: "mailfrom", "d", "from"...
  std::string value;
};

// "spf=pass (comment) reason="..." smtp.mailfrom=..."
struct AuthenticationResult {
  std::string method;  // Lower case: "spf", "dkim", "dmarc", "arc", "iprev", "auth"...
  std::uint32_t version = 1;
  std::string value;  // Lower case: "pass", "fail", "softfail"...
  std::string reason;
  std::string comment;  // The comments behind the value, joined by a space.
  std::vector<AuthenticationProperty> properties;

  std::string_view property(std::string_view type, std::string_view name) const;  // Empty: there is none.
};

struct AuthenticationResults {
  std::string server;  // The authserv-id as written. Nothing here is true unless that is one of ours (RFC 8601 §5).
  std::uint32_t version = 1;
  std::optional<std::uint32_t> instance;      // i= of ARC-Authentication-Results.
  std::vector<AuthenticationResult> results;  // Empty for "none".
};

// The value of one field. nullopt: no authserv-id, or a result that is not method=value (what stands before it is not
// trusted either). At most 1,000 results and 1,000 properties each.
std::optional<AuthenticationResults> parse_authentication_results(Bytes value);

}  // namespace facteur::message
