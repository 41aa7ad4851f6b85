// Internationalised domain names: U-labels (UTF-8) to A-labels ("xn--...") and back (RFC 5890 §2.3.2.1, UTS 46).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace facteur::message {

// Lower case, all labels ASCII. nullopt: not UTF-8, or a label that IDNA does not allow. ASCII names only change case.
std::optional<std::string> to_a_labels(std::string_view domain);

// For people: A-labels as UTF-8 where that is allowed, the rest as it is.
std::string to_u_labels(std::string_view domain);

}  // namespace facteur::message
