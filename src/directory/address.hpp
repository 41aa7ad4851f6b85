// Addresses as the directory compares them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace facteur::directory {

// Lower case, A-labels, without the final dot.
std::string canonical_domain(std::string_view domain);

// ASCII letters in lower case: RFC 5321 §2.4 leaves it to the host of the mailbox whether case matters; here it does
// not.
std::string canonical_local(std::string_view local);

struct SplitAddress {
  std::string local;
  std::string domain;
  std::string text() const { return local + "@" + domain; }
};

// At the last '@', both parts canonical; nullopt if there is none, a part is empty or too long (RFC 5321 §4.5.3.1), or
// one has control characters or spaces.
std::optional<SplitAddress> split_address(std::string_view address);

// A domain name that mail can have: labels of letters, digits, hyphens and underscores, or UTF-8.
bool is_domain_name(std::string_view domain);

}  // namespace facteur::directory
